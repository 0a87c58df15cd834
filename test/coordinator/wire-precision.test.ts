import { afterEach, beforeEach, expect, test } from 'vitest';
import { OutgoingWeights } from '../../src/coordinator/dispatch/outgoing-weights.js';
import type { NodePayload } from '../../src/reduction/payload.js';
import { bfloat16Of, floatsOf } from '../kit/bfloat16.js';
import { firstDifference } from '../kit/floats.js';
import { layout, payload, type ScriptedWorker, shape, tree } from '../kit/scripted-worker.js';
import { ScriptedWorld } from '../kit/scripted-world.js';

let world: ScriptedWorld;
beforeEach(async () => {
  world = await ScriptedWorld.open(1, 'spec.operation.exactness=best-effort', 'spec.wire.precision=bfloat16');
});
afterEach(() => world.close());

async function joined(): Promise<ScriptedWorker> {
  const scripted = world.stranger();
  await scripted.join({ wirePrecision: 'bfloat16' });
  await scripted.next('admitted');
  return scripted;
}

const precision = 'bfloat16';
const parameters = Float32Array.from({ length: layout.parameterCount }, (_, i) => Math.sin(i));
const statistics = Float32Array.from({ length: layout.statisticsCount }, (_, i) => Math.cos(i));
const weights = { parameters, mean: statistics, variance: statistics };
const step = () =>
  world.step({ shape: { ...shape, precision }, weights: new OutgoingWeights(1, 0, weights, precision) });

/** A node whose gradient has one value. */
function rounded(rows: number, value: number): NodePayload {
  return { ...payload(rows, value), gradient: new Uint16Array(layout.parameterCount).fill(value) };
}

test('a worker that sends in another precision is refused, also as the first and under best-effort', async () => {
  const other = world.stranger();
  await other.join();
  expect(await other.next('refusal')).toEqual({
    code: 'WIRE_PRECISION',
    message:
      'this worker sends gradients in float32, but spec.wire.precision is bfloat16: it needs the fcaenet of the coordinator',
  });
  await joined();
  expect(world.pool.admitted()).toHaveLength(1);
});

test('a worker gets parameters of two bytes, and statistics of four', async () => {
  const scripted = await joined();
  const sum = step();
  const { transfer } = await scripted.next('weights');
  await scripted.next('gradientWork');
  const bytes = Buffer.concat(scripted.received.flatMap(({ chunk }) => (chunk ? [chunk.data] : [])));
  const end = 2 * layout.parameterCount;
  expect(transfer!.byteLength).toBe(end + 8 * layout.statisticsCount);
  const halves = new Uint16Array(Uint8Array.from(bytes.subarray(0, end)).buffer);
  expect(firstDifference(floatsOf(halves), floatsOf(bfloat16Of(parameters)))).toBe(-1);
  const rest = new Float32Array(Uint8Array.from(bytes.subarray(end)).buffer);
  expect(firstDifference(rest, Float32Array.of(...statistics, ...statistics))).toBe(-1);
  scripted.answer(tree.root, rounded(8, 0));
  await sum;
});

test('the sum of two nodes is rounded', async () => {
  const scripted = await joined();
  const sum = step();
  await scripted.next('gradientWork');
  // 1 + 1/256 lies between two neighbours, 1 and 1 + 1/128.
  const [one, small] = bfloat16Of(Float32Array.of(1, 3 / 512)) as unknown as [number, number];
  scripted.answer({ level: 1, index: 0 }, rounded(4, one));
  scripted.answer({ level: 1, index: 1 }, rounded(4, small));
  const { gradient } = await sum;
  expect(gradient).toBeInstanceOf(Uint16Array);
  expect(new Set(gradient)).toEqual(new Set(bfloat16Of(Float32Array.of(1 + 1 / 128))));
});

test.each([
  [
    'a gradient with a NaN',
    () => rounded(8, 0x7fc0),
    'NON_FINITE',
    'node 2/0 has NaN or infinity in its gradient',
  ],
  [
    'a gradient in float32',
    () => payload(8, 1),
    'WRONG_LENGTH',
    /^\d+ bytes are announced, but node 2\/0 has \d+$/,
  ],
])('%s is rejected', async (_, answer, code, sentence) => {
  const scripted = await joined();
  const sum = step();
  await scripted.next('gradientWork');
  scripted.answer(tree.root, answer());
  const refusal = await scripted.next('refusal');
  expect(refusal.code).toBe(code);
  expect(refusal.message).toMatch(sentence);
  const other = await joined();
  await other.next('gradientWork');
  other.answer(tree.root, rounded(8, 0));
  await sum;
});
