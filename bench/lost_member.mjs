// What it costs a run over a network when a member is killed while members exchange gradients: the seconds that this adds
// to the step and to the next one, beside what it may be: until the coordinator notices, the microbatches that the
// member had computed, and one exchange. Members and coordinator are in network namespaces of their own, as in
// bench:network, so that an exchange takes seconds. Needs root, ip and tc.
// usage: npm run bench:lost-member [-- --members 4 --ways auto --backbone resnet18 --width 1 --megabits 200
//   --compute-ms 15 --microbatches 4 --moments 0.2,0.5,0.8]
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MadeUpRun, makeDataset, sizesOf } from './kit/made-up-run.mjs';
import { Network, requireNetworks } from './kit/networks.mjs';
import {
  listOf,
  membersOf,
  numberOf,
  numbersOf,
  OptionError,
  optionsOf,
  runBenchmark,
} from './kit/options.mjs';
import { fcaenet } from './kit/paused-run.mjs';
import { median, writeReport } from './kit/report.mjs';
import { temporaryFolder } from './kit/temporary-folder.mjs';

const port = 7400;
const usualSteps = 4;
const lookEveryMs = 5;
/** A step that takes longer has not gone on. */
const patienceMs = 300_000;

function settingsOf(args) {
  const { values } = optionsOf({
    args,
    options: {
      members: { type: 'string', default: '4' },
      ways: { type: 'string', default: 'auto' },
      backbone: { type: 'string', default: 'resnet18' },
      width: { type: 'string', default: '1' },
      megabits: { type: 'string', default: '200' },
      'compute-ms': { type: 'string', default: '15' },
      microbatches: { type: 'string', default: '4' },
      moments: { type: 'string', default: '0.2,0.5,0.8' },
    },
  });
  const microbatches = numberOf(values, 'microbatches');
  const moments = numbersOf(values, 'moments');
  const late = moments.find((moment) => moment >= 1);
  if (late !== undefined) {
    throw new OptionError(`--moments has ${late}, expected parts of a step, greater than 0 and less than 1.`);
  }
  const memberCounts = membersOf(values, microbatches);
  const few = memberCounts.find((members) => members < 3);
  if (few !== undefined) {
    throw new OptionError(`--members has ${few}, expected 3 or more: two are left to exchange gradients.`);
  }
  return {
    memberCounts,
    ways: listOf(values, 'ways', ['auto', 'bfloat16']),
    network: { backbone: values.backbone, width: numberOf(values, 'width') },
    megabits: numberOf(values, 'megabits'),
    computeMs: numberOf(values, 'compute-ms'),
    microbatches,
    moments,
  };
}

/** When each step of a run is done, on this process's clock. */
class Steps {
  constructor(run) {
    this.run = run;
  }

  /** Waits for the end of the running step. @returns its time in milliseconds since the epoch */
  async next() {
    const giveUpAt = Date.now() + patienceMs;
    const before = await this.run.steps();
    while ((await this.run.steps()) === before) {
      if (Date.now() > giveUpAt) throw new Error(`a step has not ended within ${patienceMs / 1000} s.`);
      await sleep(lookEveryMs);
    }
    return Date.now();
  }

  /** Usual milliseconds of a step. */
  async usual() {
    const each = [];
    let begun = await this.next();
    for (let step = 0; step < usualSteps; step++) {
      const done = await this.next();
      each.push(done - begun);
      begun = done;
    }
    return median(each);
  }
}

/** Kills a member at some part of a step, and starts it again afterwards. */
async function killOne(run, members, moment, { computeMs, microbatches }) {
  const steps = new Steps(run);
  // Three of four members take twice as long, and a member that has joined takes part from some later step on.
  await run.until(async () => run.counters().exchanging === members);
  const usualMs = await steps.usual();
  const begun = await steps.next();
  await sleep(moment * usualMs);
  const { lines } = run.coordinator;
  const from = lines.length;
  const killedAt = Date.now();
  const index = run.members.length - 1;
  const gone = run.coordinator.line('worker left', () => true, from).then(() => Date.now());
  run.members[index].child.kill('SIGKILL');
  const done = await steps.next();
  const next = await steps.next();
  const noticedAt = await gone;
  // What the others need without it, so that their next step is compared with its like.
  const withoutMs = await steps.usual();
  const seconds = (ms) => Number((ms / 1000).toFixed(3));
  const joined = run.coordinator.line('worker joined', () => true, lines.length);
  await run.restartMember(index);
  await joined;
  const noticedSeconds = seconds(noticedAt - killedAt);
  const computeSeconds = seconds(microbatches * computeMs);
  const exchangeSeconds = seconds(usualMs - microbatches * computeMs);
  return {
    moment,
    usualSeconds: seconds(usualMs),
    stepSeconds: seconds(done - begun),
    addedSeconds: seconds(done - begun - usualMs),
    addedToNextSeconds: seconds(next - done - withoutMs),
    parts: { noticedSeconds, computeSeconds, exchangeSeconds },
    allowedSeconds: Number((noticedSeconds + computeSeconds + exchangeSeconds).toFixed(3)),
  };
}

function sentence(members, way, { moment, parts, ...trial }) {
  const two = (value) => value.toFixed(2);
  return (
    `${members} members, exchange ${way}, one killed at ${two(moment)} of a step of ${two(trial.usualSeconds)} s: the step took ` +
    `${two(trial.stepSeconds)} s, ${two(trial.addedSeconds)} s more, and the next one ${two(trial.addedToNextSeconds)} s more than later ones; ` +
    `allowed ${two(trial.allowedSeconds)} s: noticed after ${two(parts.noticedSeconds)} s, its microbatches ` +
    `${two(parts.computeSeconds)} s, an exchange ${two(parts.exchangeSeconds)} s`
  );
}

await runBenchmark(async () => {
  const settings = settingsOf(process.argv.slice(2));
  requireNetworks();
  const folder = temporaryFolder('lost-member');
  await makeDataset(folder, Math.max(...settings.memberCounts) * settings.microbatches);
  const results = [];
  for (const members of settings.memberCounts) {
    for (const way of settings.ways) {
      const network = new Network(members + 1, settings.megabits);
      const tls = join(folder, `certs-${members}-${way}`);
      await fcaenet('certs', 'make', tls, '--name', network.addressOf(members), '--days', '2');
      let run = null;
      try {
        run = await MadeUpRun.start(folder, {
          ...{ ...settings.network, computeMs: settings.computeMs, microbatches: settings.microbatches },
          ...{ name: `lost-${members}-${way}`, members, way, tls, minWorkers: members - 1 },
          listen: `${network.addressOf(members)}:${port}`,
          within: (member) => network.within(member ?? members),
        });
        await run.ask('resume');
        for (const moment of settings.moments) {
          const trial = await killOne(run, members, moment, settings);
          results.push({ members, way, ...trial });
          console.log(sentence(members, way, trial));
        }
        await run.pause();
        await run.checkSums();
      } finally {
        await run?.end();
        network.remove();
      }
    }
  }
  const { parameterSizes, ...sizes } = sizesOf(settings.network);
  writeReport('lost-member', { settings, ...sizes, results });
});
