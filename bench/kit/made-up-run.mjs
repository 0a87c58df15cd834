// A run of a real coordinator and of members that are `fcaenet worker` with a made-up engine. It goes on only while it is
// measured.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gradientSha256 } from '../../dist/ledger/entry.js';
import { describeModel } from '../../dist/model/layout.js';
import { wireWeightBytes } from '../../dist/model/wire-weights.js';
import { askControlSocket } from '../../dist/transport/control/socket.js';
import { narrow } from '../../dist/transport/narrow.js';
import { wireBytes } from '../../dist/transport/wire-vector.js';
import { fillGradient } from './made-up/gradient.mjs';
import { fcaenet } from './paused-run.mjs';
import { RunProcess } from './run-process.mjs';
import { RunProgress } from './run-progress.mjs';

const preload = (file) => ({ NODE_OPTIONS: `--import=${new URL(file, import.meta.url).href}` });
const rowsPerMicrobatch = 2;
const bits = 48;
const imageSize = 32;
const warmUpSteps = 2;
/** Questions take the coordinator's processor. No time is measured by them. */
const lookEveryMs = 200;
const lookSeldomMs = 1000;
const print =
  'fetch(process.argv[1]).then((reply) => reply.text()).then((text) => process.stdout.write(text))';

/** How gradients travel: `spec.operation.exchange`, and the exchange in bfloat16. */
export const knownWays = ['off', 'auto', 'bfloat16'];

/** Makes the folder `data` for runs of up to so many microbatches. */
export function makeDataset(folder, microbatches) {
  const species = 2;
  const images = Math.ceil((microbatches * rowsPerMicrobatch) / species);
  return fcaenet(
    ...['dataset', 'make', join(folder, 'data'), '--species', String(species), '--train', String(images)],
    ...['--test', '1', '--size', String(imageSize)],
  );
}

/** Sizes of a network: parameters, and bytes of a gradient and of all weights. */
export function sizesOf({ backbone, width, way }) {
  const layout = describeModel({ ...{ backbone, width, bits, imageSize } });
  const { parameterCount, parameters } = layout;
  const precision = precisionOf(way);
  return {
    parameterCount,
    gradientBytes: wireBytes(precision, parameterCount),
    weightBytes: wireWeightBytes(layout, precision),
    /** Elements of each parameter. */
    parameterSizes: parameters.map(({ size }) => size),
  };
}

const precisionOf = (way) => (way === 'bfloat16' ? 'bfloat16' : 'float32');

export class MadeUpRun {
  members = [];

  /**
   * Starts a run, waits for its first steps and pauses it.
   * @param {string} folder has the dataset `data`; the run's files go there, too
   * @param {{ name: string, members: number, way: string, backbone: string, width: number, microbatches: number,
   *   computeMs: number, listen: string, within?: (member: number | null) => string[], tls?: string,
   *   minWorkers?: number }} settings
   *   `microbatches` is that of each member; `within` gives the command that runs the coordinator (null) or a member in
   *   its place; `tls` is a folder of `fcaenet certs make`; `minWorkers`, else all members, must be there for work
   */
  static async start(folder, settings) {
    const run = new MadeUpRun(folder, settings);
    try {
      await run.open();
    } catch (error) {
      await run.end();
      throw error;
    }
    return run;
  }

  constructor(folder, settings) {
    this.folder = folder;
    this.settings = { within: () => [], minWorkers: settings.members, ...settings };
    this.sizes = sizesOf(settings);
    this.microbatches = settings.members * settings.microbatches;
    this.pausesFile = join(folder, `${settings.name}.pauses`);
    this.progress = new RunProgress(settings.name, settings.members, () => this.standing());
  }

  async open() {
    const { folder, pausesFile } = this;
    const { name, members, within } = this.settings;
    const file = join(folder, `${name}.json`);
    // JSON is YAML.
    writeFileSync(file, JSON.stringify(this.runFile()));
    this.coordinator = new RunProcess(['coordinator', file, ...this.token], folder, within(null), {
      ...preload('./watch-pauses.mjs'),
      BENCH_PAUSES: pausesFile,
    });
    this.url = (await this.coordinator.line('metrics')).url;
    this.address = (await this.coordinator.line('waiting for workers')).address;
    for (let member = 0; member < members; member++) this.members.push(this.startMember(member));
    await this.until(async () => (await this.steps()) >= warmUpSteps);
    await this.pause();
  }

  startMember(member) {
    const { tls, within, computeMs } = this.settings;
    const args = [
      'worker',
      '--connect',
      this.address,
      '--data',
      'data',
      '--cache',
      'cache',
      '--name',
      `m${member}`,
    ];
    const protection = tls ? tlsFlags(join(tls, 'worker')) : [];
    const flags = ['--connect-timeout', '600', ...protection, ...this.token];
    return new RunProcess([...args, ...flags], this.folder, within(member), {
      ...preload('./made-up/preload.mjs'),
      MADE_UP_COMPUTE_MS: String(computeMs),
    });
  }

  /** Starts a member again, when the process has ended that was it. */
  async restartMember(member) {
    await this.members[member].ended;
    this.members[member] = this.startMember(member);
  }

  get token() {
    const { tls } = this.settings;
    return tls ? ['--join-token-file', join(tls, 'join-token')] : [];
  }

  runFile() {
    const { name, way, backbone, width, listen, tls } = this.settings;
    const batchSize = this.microbatches * rowsPerMicrobatch;
    const spec = {
      preset: 'quick',
      method: 'baseline',
      bits,
      dataset: { path: 'data', sampleSize: batchSize },
      model: { backbone, width, imageSize },
      wire: { precision: precisionOf(way) },
      // Nothing but steps while it is measured.
      schedule: {
        iterations: 1,
        epochs: 100_000,
        batchSize,
        microbatches: this.microbatches,
        learningRate: 1e-6,
        decayAfter: [],
      },
      operation: {
        listen,
        metrics: '127.0.0.1:0',
        cache: { directory: 'cache' },
        checkpoint: { everySteps: null },
        evaluation: { untrained: false },
        membership: { minWorkers: this.settings.minWorkers },
        // What is computed twice then is computed twice because a member was late.
        verification: { rate: 0 },
        exchange: way === 'off' ? 'off' : 'auto',
        ...(tls && {
          tls: {
            certificate: join(tls, 'coordinator', 'tls.crt'),
            key: join(tls, 'coordinator', 'tls.key'),
            authority: join(tls, 'coordinator', 'ca.crt'),
          },
        }),
      },
    };
    return { apiVersion: 'fcaenet.dev/v1', kind: 'TrainingRun', metadata: { name }, spec };
  }

  /**
   * Goes on for a first step, then for so long, and at least for so many steps.
   * @returns what it took: `stepSeconds` by the clock, the mean without the first step, for which the weights have
   *   already arrived; `steps`, all of them, and of all of them together the coordinator's `processorSeconds`, `bytesIn` and
   *   `bytesOut` (messages without framing), and microbatches that were `computedTwice`; `exchanging` is the number of members
   *   that exchanged gradients in the last step
   */
  async measure(seconds, leastSteps) {
    const before = this.counters();
    let timed = null;
    await this.goOn(seconds, leastSteps, () => {
      timed = this.counters();
    });
    const after = this.counters();
    const since = (name) => after[name] - before[name];
    return {
      stepSeconds: (after.seconds - timed.seconds) / (after.steps - timed.steps),
      steps: since('steps'),
      processorSeconds: since('processor'),
      bytesIn: since('received'),
      bytesOut: since('sent'),
      computedTwice: since('answered') - this.microbatches * since('steps'),
      exchanging: after.exchanging,
    };
  }

  /**
   * Goes on as {@link measure} does.
   * @returns the longest pauses of the coordinator's event loop in milliseconds, as ./watch-pauses.mjs writes them
   */
  async longestPauses(seconds, leastSteps) {
    rmSync(this.pausesFile, { force: true });
    this.coordinator.child.kill('SIGUSR2');
    await this.goOn(seconds, leastSteps);
    this.coordinator.child.kill('SIGUSR2');
    await this.until(async () => existsSync(this.pausesFile));
    return JSON.parse(readFileSync(this.pausesFile, 'utf8'));
  }

  /** Goes on for a first step, then for so long, and at least for so many steps. */
  async goOn(seconds, leastSteps, onFirst = () => {}) {
    const before = await this.steps();
    await this.ask('resume');
    await this.until(async () => (await this.steps()) > before);
    const first = await this.steps();
    onFirst();
    await sleep(1000 * seconds);
    await this.until(async () => (await this.steps()) >= first + leastSteps - 1, lookSeldomMs);
    await this.pause();
  }

  /** Most bytes that were resident so far in the coordinator, or in a member. */
  peakBytes({ child } = this.coordinator) {
    return 1024 * Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]);
  }

  /** @throws Error for a step so far whose sum is not that of all microbatches */
  async checkSums() {
    const { ok } = await this.ask('checkpoint');
    if (!ok) throw new Error(`the run ${this.settings.name} cannot write a checkpoint, and so its ledger.`);
    const gradient = new Float32Array(this.sizes.parameterCount);
    fillGradient(gradient, 1);
    const rounded = new Uint16Array(gradient.length);
    narrow(gradient, rounded);
    const expected = gradientSha256(this.settings.way === 'bfloat16' ? rounded : gradient);
    const ledger = join(this.folder, 'runs', this.settings.name, 'ledger-000001.jsonl');
    const [, ...steps] = readFileSync(ledger, 'utf8').split('\n').slice(0, -1);
    const done = await this.steps();
    if (steps.length !== done) throw new Error(`${ledger} has ${steps.length} steps, expected ${done}.`);
    for (const step of steps) {
      const { globalStep, gradientSha256: found } = JSON.parse(step);
      if (found === expected) continue;
      throw new Error(`the sum of step ${globalStep} has the digest ${found}, expected ${expected}.`);
    }
  }

  /** Ends every process, without a checkpoint. */
  async end() {
    await Promise.all([this.coordinator, ...this.members].map((each) => each?.end('SIGKILL')));
    rmSync(join(this.folder, 'runs', this.settings.name), { recursive: true, force: true });
  }

  async ask(command) {
    const socket = join(this.folder, 'runs', this.settings.name, 'control.sock');
    return JSON.parse(await askControlSocket(socket, JSON.stringify({ command })));
  }

  async steps() {
    return (await this.ask('status')).position.globalStep;
  }

  async pause() {
    await this.ask('pause');
    await this.until(async () => (await this.ask('status')).state === 'paused');
  }

  async until(condition, everyMs = lookEveryMs) {
    while (!(await condition().catch(() => false))) {
      const ended = [this.coordinator, ...this.members].find(({ hasEnded }) => hasEnded);
      if (ended) throw new Error(`a process ended early: ${ended.child.spawnargs.join(' ')}`);
      await this.progress.goOn();
      await sleep(everyMs);
    }
  }

  /** Members and steps so far, and what the coordinator has warned of. */
  async standing() {
    const { lines } = this.coordinator;
    const names = lines.filter(({ message }) => message === 'worker joined').map(({ worker }) => worker);
    const warnings = lines.filter(({ level }) => level === 'warn').map(({ message }) => message);
    return { joined: new Set(names).size, steps: await this.steps().catch(() => 0), warnings };
  }

  counters() {
    const [command, ...args] = [...this.settings.within(null), process.execPath, '-e', print, this.url];
    const text = execFileSync(command, args, { encoding: 'utf8' });
    const ofCoordinator = '{[^}]*path="star"[^}]*}';
    // Over all values of its labels.
    const value = (name, labels = '(?:{[^}]*})?') =>
      [...text.matchAll(new RegExp(`^${name}${labels} (\\S+)$`, 'gm'))].reduce(
        (sum, [, each]) => sum + Number(each),
        0,
      );
    return {
      steps: value('fcaenet_step_seconds_count'),
      seconds: value('fcaenet_step_seconds_sum'),
      exchanging: value('fcaenet_exchange_workers'),
      processor: value('process_cpu_seconds_total'),
      received: value('fcaenet_bytes_received_total', ofCoordinator),
      sent: value('fcaenet_bytes_sent_total', ofCoordinator),
      answered: value('fcaenet_microbatches_total'),
    };
  }
}

function tlsFlags(folder) {
  const file = (name) => join(folder, name);
  return [
    ...['--tls-certificate', file('tls.crt')],
    ...['--tls-key', file('tls.key')],
    ...['--tls-authority', file('ca.crt')],
  ];
}
