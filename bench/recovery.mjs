// What a fault costs a run: a worker killed in mid-step, a coordinator killed and started again, and checkpoints while
// nothing goes wrong. Each figure stands beside what it may be: a step's own time, the disk's measured read rate.
// usage: npm run bench:recovery [-- small|large] [worker] [coordinator] [pace]
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, median, nextStep, RunProcess, stepsDone } from './kit/run-process.mjs';

const kills = 5;
const restarts = 3;
const undisturbedSteps = 6;
const stallWindowSeconds = 60;
const everySteps = 5;
const sizes = {
  small: { model: { backbone: 'mobilenet_v1', width: 0.25 }, microbatches: 4 },
  large: { model: { backbone: 'resnet50' }, microbatches: 2 },
};
const rowsPerMicrobatch = 2;

const folder = mkdtempSync(join(tmpdir(), 'fcaenet-recovery-'));
const round = (value) => Number(value.toFixed(3));

function runFile(name, { model, microbatches }, checkpoint) {
  const file = join(folder, `${name}.json`);
  const spec = {
    preset: 'quick',
    bits: 12,
    dataset: { path: 'data', sampleSize: 64 },
    model: { ...model, imageSize: 64 },
    // Long epochs: nothing but steps while it is measured.
    schedule: {
      iterations: 1,
      epochs: 10_000,
      batchSize: rowsPerMicrobatch * microbatches,
      microbatches,
      learningRate: 0.001,
      decayAfter: [],
    },
    operation: {
      metrics: '127.0.0.1:0',
      cache: { directory: 'cache' },
      checkpoint: { everySteps: checkpoint, keep: 2 },
      evaluation: { untrained: false },
      // Stopped and gone workers are compared with a run in which nothing else is computed twice.
      verification: { rate: 0 },
    },
  };
  const run = { apiVersion: 'fcaenet.dev/v1', kind: 'TrainingRun', metadata: { name }, spec };
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(run));
  return file;
}

class Run {
  workers = [];

  static async start(name, size, checkpoint) {
    const run = new Run();
    run.file = runFile(name, size, checkpoint);
    run.microbatches = size.microbatches;
    run.port = await freePort();
    await run.startCoordinator();
    for (const index of [0, 1]) await run.startWorker(index);
    return run;
  }

  async startCoordinator() {
    this.coordinator = new RunProcess(
      ['coordinator', this.file, '--resume=auto', '--set', `spec.operation.listen=127.0.0.1:${this.port}`],
      folder,
    );
    this.url = (await this.coordinator.line('metrics')).url;
  }

  async startWorker(index) {
    const from = this.coordinator.lines.length;
    this.workers[index] = new RunProcess(
      [
        'worker',
        '--connect',
        `127.0.0.1:${this.port}`,
        '--data',
        'data',
        '--cache',
        'cache',
        '--name',
        `w${index}`,
      ],
      folder,
    );
    await this.coordinator.line('worker joined', ({ worker }) => worker.endsWith(`(w${index})`), from);
  }

  /** Usual seconds of a step. */
  async usual() {
    const each = [];
    let { now } = await nextStep(this.url, await stepsDone(this.url));
    while (each.length < undisturbedSteps) {
      const next = await nextStep(this.url, now);
      each.push(next.seconds / next.steps);
      now = next.now;
    }
    return { seconds: median(each), now };
  }

  async end() {
    for (const each of [this.coordinator, ...this.workers]) await each.end('SIGKILL');
  }
}

/** Keeps a trial, and shows it: the whole takes minutes. */
function note(trials, what, trial) {
  console.error(`${what}: ${JSON.stringify(trial)}`);
  trials.push(trial);
}

async function killWorkers(run) {
  const trials = [];
  for (let trial = 0; trial < kills; trial++) {
    const usual = await run.usual();
    const { now } = await nextStep(run.url, await stepsDone(run.url));
    await sleep(1000 * usual.seconds * (0.2 + (0.6 * trial) / (kills - 1)));
    const from = run.coordinator.lines.length;
    const index = trial % 2;
    const survivor = run.workers[1 - index].child.pid;
    const before = await stepsDone(run.url);
    run.workers[index].child.kill('SIGKILL');
    const { seconds, steps } = await nextStep(run.url, before.steps > now.steps ? before : now);
    const again = run.coordinator.lines
      .slice(from)
      .find(({ message }) => message === 'microbatches handed out again');
    note(trials, 'worker killed', {
      stepSeconds: round(usual.seconds),
      addedSeconds: round(seconds - steps * usual.seconds),
      handedOutAgain: again?.microbatches ?? 0,
    });
    if (run.workers[1 - index].hasEnded || run.workers[1 - index].child.pid !== survivor) {
      throw new Error('the survivor is gone');
    }
    await run.startWorker(index);
  }
  const stepSeconds = median(trials.map((each) => each.stepSeconds));
  // Each of two workers computes half of a step's microbatches.
  const microbatchSeconds = stepSeconds / (run.microbatches / 2);
  return {
    trials,
    medianAddedSeconds: median(trials.map((each) => each.addedSeconds)),
    mostAddedSeconds: Math.max(...trials.map((each) => each.addedSeconds)),
    microbatchSeconds: round(microbatchSeconds),
    allowedSeconds: round(1 + microbatchSeconds),
  };
}

/** Bytes a second that the disk gives, past every cache. */
function diskReadRate(directory) {
  const files = readdirSync(directory).map((name) => join(directory, name));
  const [largest] = files.sort((a, b) => statSync(b).size - statSync(a).size);
  const { size } = statSync(largest);
  const started = performance.now();
  execFileSync('dd', [`if=${largest}`, 'of=/dev/null', 'bs=4M', 'iflag=direct'], { stdio: 'ignore' });
  return size / ((performance.now() - started) / 1000);
}

/** What a process took of the processor so far (proc(5): clock ticks of 10 ms), which a busy machine leaves alone. */
function processorSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function restartCoordinator(run, name) {
  const trials = [];
  for (let trial = 0; trial < restarts; trial++) {
    const usual = await run.usual();
    const { now } = usual;
    const written = await run.coordinator.line('checkpoint written');
    const pids = run.workers.map(({ child }) => child.pid);
    const done = (await nextStep(run.url, now)).now.globalStep;
    await run.coordinator.end('SIGKILL');
    const checkpoints = join(folder, 'runs', name, 'checkpoints');
    const newest = readdirSync(checkpoints)
      .filter((each) => /-\d{10}$/.test(each) && !each.startsWith('.'))
      .sort()
      .at(-1);
    const bytesPerSecond = diskReadRate(join(checkpoints, newest));
    const bare = performance.now();
    execFileSync(process.execPath, [join(import.meta.dirname, '..', 'dist', 'cli.js'), '--version']);
    const bareStartSeconds = (performance.now() - bare) / 1000;
    const started = performance.now();
    await run.startCoordinator();
    await nextStep(run.url, { steps: 0, seconds: 0 });
    const seconds = (performance.now() - started) / 1000;
    const cpuSeconds = processorSeconds(run.coordinator.child.pid);
    const { checkpoint } = await run.coordinator.line('resuming');
    if (run.workers.some(({ hasEnded, child }, index) => hasEnded || child.pid !== pids[index])) {
      throw new Error('a worker is gone');
    }
    note(trials, 'coordinator killed', {
      seconds: round(seconds),
      coordinatorCpuSeconds: round(cpuSeconds),
      stepSeconds: round(usual.seconds),
      allowedSeconds: round(3 + (1.2 * written.bytes) / bytesPerSecond),
      checkpointBytes: written.bytes,
      diskBytesPerSecond: Math.round(bytesPerSecond),
      lostSteps: done - Number(checkpoint.split('-').at(-1)),
      bareStartSeconds: round(bareStartSeconds),
    });
  }
  return { trials, medianSeconds: median(trials.map(({ seconds }) => seconds)), mostLostSteps: everySteps };
}

/** Share of the time in which the training loop is in no step, with a checkpoint on the way. */
async function standStill(run) {
  const { now: before } = await run.usual();
  const started = performance.now();
  const from = run.coordinator.lines.length;
  await sleep(1000 * stallWindowSeconds);
  const { now: after } = await nextStep(run.url, await stepsDone(run.url));
  const wall = (performance.now() - started) / 1000;
  const written = run.coordinator.lines.slice(from).filter(({ message }) => message === 'checkpoint written');
  return {
    wallSeconds: round(wall),
    steps: after.steps - before.steps,
    checkpoints: written.length,
    writingSeconds: round(written.reduce((sum, { seconds }) => sum + seconds, 0)),
    outsideStepsShare: round(1 - (after.seconds - before.seconds) / wall),
  };
}

const parts = ['worker', 'coordinator', 'pace'];
const wanted = process.argv.slice(2);
/** Whether a word was named, or none of its kind was. */
const isWanted = (word, kind) => wanted.includes(word) || !kind.some((each) => wanted.includes(each));

try {
  execFileSync(process.execPath, [
    ...[join(import.meta.dirname, '..', 'dist', 'cli.js'), 'dataset', 'make', join(folder, 'data')],
    ...['--species', '4', '--train', '20', '--test', '2', '--size', '64'],
  ]);
  const results = {};
  for (const [name, size] of Object.entries(sizes)) {
    if (!isWanted(name, Object.keys(sizes))) continue;
    const result = {};
    results[name] = result;
    if (isWanted('worker', parts) || isWanted('coordinator', parts)) {
      const run = await Run.start(name, size, everySteps);
      if (isWanted('worker', parts)) result.workerKilled = await killWorkers(run);
      if (isWanted('coordinator', parts)) result.coordinatorKilled = await restartCoordinator(run, name);
      await run.end();
    }
    if (isWanted('pace', parts)) {
      const paced = await Run.start(`${name}-auto`, size, 'auto');
      result.checkpointsUnderAuto = await standStill(paced);
      await paced.end();
    }
  }
  const report = {
    date: new Date().toISOString(),
    what: 'recovery',
    loadAverage: round(loadavg()[0]),
    ...results,
  };
  const kept = join(import.meta.dirname, 'results');
  mkdirSync(kept, { recursive: true });
  writeFileSync(
    join(kept, `recovery-${report.date.replaceAll(':', '-')}.json`),
    `${JSON.stringify(report, null, 2)}\n`,
  );
  console.log(JSON.stringify(report));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
