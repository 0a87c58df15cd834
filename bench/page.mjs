// What readers of a run's data cost the run: the time of a step while they ask a thousand times a second, beside that of a
// step in the turns before and after, while nobody asks; and the coordinator's processor time for the answers.
// usage: npm run bench:page [-- REQUESTS_PER_SECOND SECONDS_PER_TURN TURNS]
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fcaenet } from './kit/paused-run.mjs';
import { median, medianInterval, spread, writeReport } from './kit/report.mjs';
import { RunProcess, stepsDone } from './kit/run-process.mjs';
import { temporaryFolder } from './kit/temporary-folder.mjs';

const [perSecond = 1000, seconds = 10, turns = 9] = process.argv.slice(2).map(Number);
const name = 'read';
const loads = ['tagged', 'whole'];

const folder = temporaryFolder('page');
await fcaenet(
  'dataset',
  'make',
  join(folder, 'data'),
  '--species',
  '4',
  '--train',
  '32',
  '--test',
  '1',
  '--size',
  '64',
);
writeFileSync(
  join(folder, 'run.json'),
  JSON.stringify({
    apiVersion: 'fcaenet.dev/v1',
    kind: 'TrainingRun',
    metadata: { name },
    spec: {
      preset: 'quick',
      dataset: { path: 'data', sampleSize: 128 },
      // Long epochs: nothing but steps while it is measured.
      schedule: { iterations: 1, epochs: 100_000, batchSize: 64, microbatches: 4, decayAfter: [] },
      operation: {
        metrics: '127.0.0.1:0',
        cache: { directory: 'cache' },
        checkpoint: { everySteps: null },
        evaluation: { untrained: false },
      },
    },
  }),
);
const run = new RunProcess(['train', 'run.json', '--workers', '1'], folder);
const { url } = await run.line('metrics');
const data = new URL(`/api/runs/${name}`, url).href;
while (!((await stepsDone(url)).steps > 20)) await sleep(100);

/** Steps, their seconds, and the coordinator's processor seconds so far. */
async function figures() {
  const text = await (await fetch(url)).text();
  const processor = Number(/^process_cpu_seconds_total(?:{[^}]*})? (\S+)$/m.exec(text)[1]);
  return { ...(await stepsDone(url)), processor };
}

async function turn(load) {
  const reader =
    load === 'nobody'
      ? null
      : fork(join(import.meta.dirname, 'kit', 'page-load.mjs'), [data, perSecond, load]);
  let answered = 0;
  if (reader) await once(reader, 'message');
  reader?.on('message', (message) => {
    answered += message.answered;
  });
  const before = await figures();
  await sleep(1000 * seconds);
  const after = await figures();
  reader?.kill();
  const steps = after.steps - before.steps;
  return {
    stepMs: (1000 * (after.seconds - before.seconds)) / steps,
    answeredPerSecond: answered / seconds,
    processorShare: (after.processor - before.processor) / seconds,
  };
}

const quiet = [await turn('nobody')];
const turnsOf = Object.fromEntries(loads.map((load) => [load, []]));
for (let number = 0; number < turns; number++) {
  for (const load of loads) {
    const asked = await turn(load);
    const [before, after] = [quiet.at(-1), await turn('nobody')];
    quiet.push(after);
    turnsOf[load].push({
      ...asked,
      ratio: asked.stepMs / ((before.stepMs + after.stepMs) / 2),
      moreOfAProcessor: asked.processorShare - (before.processorShare + after.processorShare) / 2,
    });
  }
}
await run.end('SIGKILL');
console.log(`nobody  step ${spread(quiet.map(({ stepMs }) => stepMs))} ms`);
const result = loads.map((load) => {
  const of = (what) => turnsOf[load].map((each) => each[what]);
  const interval = medianInterval(of('ratio'));
  console.log(
    `${load.padEnd(7)} step ${spread(of('stepMs'))} ms, as a ratio to nobody ${spread(of('ratio'))}` +
      `${interval ? `, 95 % interval of the median ${interval.map((end) => end.toFixed(3)).join(' to ')}` : ''}; ` +
      `${median(of('answeredPerSecond')).toFixed(0)} answers/s, ${(100 * median(of('moreOfAProcessor'))).toFixed(1)} % more of a processor`,
  );
  return { load, interval, turns: turnsOf[load] };
});
writeReport('page', { perSecond, seconds, load: loadavg(), quiet, result });
