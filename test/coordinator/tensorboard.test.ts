import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { RunPosition } from '../../src/checkpoint/manifest.js';
import { EventFiles } from '../../src/coordinator/monitoring/event-files.js';
import { isDoneAt, tensorboardScalars } from '../../src/coordinator/monitoring/tensorboard.js';
import { type FileEvent, readEvents } from '../../src/formats/event-file.js';
import { readTrainingRun } from '../../src/run/read.js';

const folder = mkdtempSync(join(tmpdir(), 'fcaenet-events-'));
afterAll(() => rmSync(folder, { recursive: true }));
const warnings: string[] = [];
const log = { info: () => {}, warn: (message: string) => warnings.push(message), error: () => {} };

const scalars = (step: number, values: Record<string, number>): FileEvent => ({
  seconds: 1,
  step,
  content: { kind: 'scalars', values },
});
const at = (globalStep: number, changed: Partial<RunPosition> = {}): RunPosition => ({
  iteration: 1,
  epoch: 0,
  step: 1,
  phase: 'train',
  globalStep,
  ...changed,
});

/** All scalars of a folder, as a reader of its files in the order of their names has them. */
function read(path: string): [step: number, tag: string][] {
  return readdirSync(path)
    .sort()
    .flatMap((name) => readEvents(readFileSync(join(path, name))))
    .flatMap(({ event: { step, content } }) =>
      content.kind === 'scalars'
        ? Object.keys(content.values).map((tag): [number, string] => [step, tag])
        : [],
    );
}

async function process(path: string, term: number, position: RunPosition, events: readonly FileEvent[]) {
  const files = await EventFiles.open(path, term, position.globalStep, isDoneAt(position), log);
  for (const event of events) files.write(event);
  await files.close();
}

test('a resumed run has each step once, whatever the process before had written', async () => {
  const path = join(folder, 'resumed');
  const steps = [1, 2, 3, 4].map((step) => scalars(step, { 'loss/total': step }));
  await process(path, 1, at(0), steps);
  writeFileSync(join(path, 'events.out.tfevents.1.other'), 'of another program');
  await process(path, 2, at(2), [scalars(3, { 'loss/total': 3 })]);
  rmSync(join(path, 'events.out.tfevents.1.other'));
  expect(read(path)).toEqual([1, 2, 3].map((step) => [step, 'loss/total']));
  expect(readdirSync(path).length).toBe(2);
  // TensorBoard forgets the steps from this one on.
  const second = readEvents(readFileSync(join(path, 'events.out.tfevents.0000000002.fcaenet')));
  expect(second[1]!.event).toMatchObject({ step: 3, content: { kind: 'start' } });
  await process(path, 3, at(0), []);
  expect(read(path)).toEqual([]);
});

test('the V-step and the evaluation of a step are kept if they are done', async () => {
  const events = [
    scalars(4, { 'loss/total': 1 }),
    scalars(4, { 'codes/flipped_bits': 5 }),
    scalars(4, { 'evaluation/mAP': 0.5 }),
  ];
  const kept = async (name: string, position: RunPosition) => {
    await process(join(folder, name), 1, at(0), events);
    await process(join(folder, name), 2, position, []);
    return read(join(folder, name)).map(([, tag]) => tag);
  };
  expect(await kept('before', at(4, { epoch: 2, step: 0 }))).toEqual(['loss/total']);
  expect(await kept('between', at(4, { epoch: 2, step: 0, phase: 'evaluate' }))).toEqual([
    'loss/total',
    'codes/flipped_bits',
  ]);
  await process(join(folder, 'again'), 1, at(4, { epoch: 2, step: 0 }), [events[1]!]);
  await process(join(folder, 'again'), 2, at(4, { iteration: 2, step: 0 }), []);
  expect(read(join(folder, 'again'))).toEqual([[4, 'codes/flipped_bits']]);
  expect(await kept('after', at(4, { iteration: 2, step: 0 }))).toEqual([
    'loss/total',
    'codes/flipped_bits',
    'evaluation/mAP',
  ]);
});

test('a folder that cannot be written costs one warning', async () => {
  writeFileSync(join(folder, 'file'), '');
  await process(join(folder, 'file', 'inside'), 1, at(0), [scalars(1, { x: 1 }), scalars(2, { x: 1 })]);
  expect(warnings).toEqual(['events for TensorBoard cannot be written; the run goes on without them']);
});

test('a step has its losses by term, the learning rate and its speed', () => {
  const { spec } = readTrainingRun('examples/quick.yaml');
  const written: FileEvent[] = [];
  const state = { position: at(65, { iteration: 6 }) };
  const take = tensorboardScalars(
    { spec, state },
    (event) => written.push(event),
    () => 2000,
  );
  const phases = { pairing: 0, sending: 0, computing: 2, waiting: 0, reducing: 0, updating: 0 };
  take({
    type: 'step.done',
    losses: Float64Array.of(1, 2, 3, 4),
    seconds: 2,
    phases,
    images: 64,
    gradientNorm: 7,
  });
  expect(written).toEqual([
    {
      seconds: 2,
      step: 65,
      content: {
        kind: 'scalars',
        values: {
          'loss/total': 10,
          'loss/similarity': 1,
          'loss/quantisation': 2,
          'loss/positive': 3,
          'loss/augmented': 4,
          learning_rate: expect.closeTo(0.001),
          gradient_norm: 7,
          'speed/images_per_second': 32,
          'speed/step_seconds': 2,
        },
      },
    },
  ]);
});
