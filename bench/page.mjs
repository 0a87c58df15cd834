// What readers of a run's data cost the run: the time of a step while they ask a thousand times a second, beside that of a
// step while nobody asks, in turns; and the coordinator's processor time for one answer.
// usage: npm run bench:page [-- REQUESTS_PER_SECOND SECONDS_PER_TURN TURNS]
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fcaenet } from './kit/paused-run.mjs';
import { median, spread, writeReport } from './kit/report.mjs';
import { RunProcess, stepsDone } from './kit/run-process.mjs';
import { temporaryFolder } from './kit/temporary-folder.mjs';

const [perSecond = 1000, seconds = 10, turns = 5] = process.argv.slice(2).map(Number);
const name = 'read';
const loads = ['nobody', 'tagged', 'whole'];

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

const turnsOf = Object.fromEntries(loads.map((load) => [load, []]));
for (let number = 0; number < turns; number++) {
  for (const load of loads) turnsOf[load].push(await turn(load));
}
await run.end('SIGKILL');
const stepOf = (load) => turnsOf[load].map(({ stepMs }) => stepMs);
const result = loads.map((load) => {
  const ratios = stepOf(load).map((stepMs, at) => stepMs / stepOf('nobody')[at]);
  const answered = median(turnsOf[load].map(({ answeredPerSecond }) => answeredPerSecond));
  const more = turnsOf[load].map(
    ({ processorShare }, at) => processorShare - turnsOf.nobody[at].processorShare,
  );
  console.log(
    `${load.padEnd(7)} step ${spread(stepOf(load))} ms, as a ratio to nobody ${spread(ratios)}; ` +
      `${answered.toFixed(0)} answers/s, ${(100 * median(more)).toFixed(1)} % more of a processor`,
  );
  return { load, stepMs: stepOf(load), ratios, answeredPerSecond: answered, moreOfAProcessor: more };
});
writeReport('page', { perSecond, seconds, load: loadavg(), result });
