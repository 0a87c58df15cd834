import { afterEach, expect, test, vi } from 'vitest';
import { type EncodeJob, runEncodeJob } from '../../src/coordinator/dispatch/encode-job.js';
import { encodeBatchSize } from '../../src/schedule/encode-batches.js';
import { describedEncodeJob, encodedBytes, type ScriptedWorker } from '../kit/scripted-worker.js';
import { ScriptedWorld } from '../kit/scripted-world.js';

let world: ScriptedWorld;
afterEach(() => world.close());

let compared: [number, string][];

/** Has two batches encoded; the first is to be encoded twice. */
function encode(changed: Partial<EncodeJob> = {}) {
  compared = [];
  const job = describedEncodeJob(2, {
    verified: [0],
    ...changed,
  });
  const surroundings = world.surroundings((event) => {
    if (event.type === 'work.compared') compared.push([event.unit, event.outcome]);
  });
  return runEncodeJob(job, () => {}, surroundings);
}

const given = (worker: ScriptedWorker) => worker.received.flatMap(({ encodeWork }) => encodeWork ?? []);
/** Answers every image of a batch with one value, once it was asked for it `times` times. */
async function answer(worker: ScriptedWorker, batch: number, value: number, times = 1) {
  const asked = () => given(worker).filter((work) => work.batch === batch);
  await vi.waitFor(() => expect(asked().length).toBe(times));
  worker.answerEncode(asked()[0]!.request, batch, encodeBatchSize * encodedBytes, value);
}
const valuesOf = (output: Uint8Array) => [output[0], output[encodeBatchSize * encodedBytes]];

test('a batch chosen for it is encoded by two workers', async () => {
  world = await ScriptedWorld.open();
  const [first, second] = [await world.joined(), await world.joined()];
  const output = encode();
  await answer(first, 0, 1);
  await answer(first, 1, 2);
  await answer(second, 0, 1);
  expect(valuesOf(await output)).toEqual([1, 2]);
  expect(compared).toEqual([[0, 'agreed']]);
  expect(world.pool.all().map(({ outstanding }) => outstanding)).toEqual([0, 0]);
});

test('with one worker it goes unverified', async () => {
  world = await ScriptedWorld.open();
  const only = await world.joined();
  const output = encode();
  await answer(only, 0, 1);
  await answer(only, 1, 2);
  expect(valuesOf(await output)).toEqual([1, 2]);
  expect(compared).toEqual([]);
});

test('where the second worker leaves before it answers, another is asked', async () => {
  world = await ScriptedWorld.open();
  const [first, second] = [await world.joined(), await world.joined()];
  const output = encode();
  await answer(first, 0, 1);
  await answer(first, 1, 2);
  await vi.waitFor(() => expect(given(second).map(({ batch }) => batch)).toEqual([0]));
  const third = await world.joined();
  second.leave();
  await answer(third, 0, 1);
  expect(valuesOf(await output)).toEqual([1, 2]);
  expect(compared).toEqual([[0, 'agreed']]);
});

test('where two differ a third decides, and all that the odd one answered is encoded again', async () => {
  world = await ScriptedWorld.open();
  const [odd, second, third] = [await world.joined(), await world.joined(), await world.joined()];
  const output = encode();
  await answer(odd, 0, 9);
  await answer(odd, 1, 9);
  await answer(second, 0, 1);
  await answer(third, 0, 1);
  expect((await odd.next('refusal')).message).toBe(
    'its outputs of images 1 to 64 of the 128 to encode differ from those of the other workers',
  );
  await Promise.any([answer(second, 1, 2), answer(third, 1, 2)]);
  expect(valuesOf(await output)).toEqual([1, 2]);
  expect(compared).toEqual([[0, 'contradiction']]);
});

test('where nobody can decide the run stops', async () => {
  world = await ScriptedWorld.open();
  const [first, second] = [await world.joined(), await world.joined()];
  const output = encode();
  const failure = expect(output).rejects.toMatchObject({
    code: 'COORDINATOR_CONTRADICTION',
    message: expect.stringMatching(
      /^workers gave different outputs of images 1 to 64 of the 128 to encode and no/,
    ),
  });
  await answer(first, 0, 1);
  await answer(first, 1, 2);
  await answer(second, 0, 9);
  await failure;
});

test('workers of different numerical identities may differ', async () => {
  world = await ScriptedWorld.open();
  const [first, second] = [await world.joined(), await world.joined()];
  const output = encode({ strict: false });
  await answer(first, 0, 1);
  await answer(first, 1, 2);
  await answer(second, 0, 9);
  expect(valuesOf(await output)).toEqual([1, 2]);
  expect(compared).toEqual([[0, 'contradiction']]);
});
