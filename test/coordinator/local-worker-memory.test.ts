import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  LocalWorkerMemory,
  type MemoryAllocation,
} from '../../src/coordinator/dispatch/local-worker-memory.js';
import { payloadArrays } from '../../src/reduction/payload.js';
import { byteLengthOf, bytesOf } from '../../src/transport/bytes.js';
import { SharedReader, SharedWriter } from '../../src/transport/shared-memory.js';
import { identity, layout, payload, type ScriptedWorker } from '../kit/scripted-worker.js';
import { ScriptedWorld } from '../kit/scripted-world.js';

const onLinux = test.skipIf(process.platform !== 'linux');
const weightBytes = 4 * (layout.parameterCount + 2 * layout.statisticsCount);

const log = { info: () => {}, warn: () => {}, error: () => {} };
let world: ScriptedWorld;
let memory: LocalWorkerMemory;
beforeEach(async () => {
  world = await ScriptedWorld.open();
  memory = LocalWorkerMemory.open(1, world.server.traffic.shared_memory, log)!;
  world.server.shareMemory(memory);
});
afterEach(async () => {
  await world.close();
  memory.close();
});

/** A worker as the coordinator starts it, and its ends of the memory. */
async function localWorker(allocation: MemoryAllocation = memory.allocate()!) {
  const worker = world.stranger();
  worker.hello({ memoryKey: allocation.key });
  const { sharesMemory } = await worker.next('welcome');
  worker.send({ ready: { identity, device: 'cpu', deterministic: true } });
  await worker.next('admitted');
  const [weights, results] = allocation.descriptors;
  return { worker, sharesMemory, weights: new SharedReader(weights), results: new SharedWriter(results) };
}

function answer(worker: ScriptedWorker, results: SharedWriter, id = 1, value = 3): void {
  const parts = payloadArrays(payload(8, value)).map(bytesOf);
  const sharedOffset = results.put(id, parts, {})!;
  const transfer = { id, byteLength: byteLengthOf(parts), sharedOffset };
  const position = { iteration: 0, epoch: 0, step: 0 };
  worker.send({ nodeResult: { position, node: { level: 2, index: 0 }, transfer } });
}

onLinux('weights and results go through memory, and count as sent', async () => {
  const { worker, sharesMemory, weights, results } = await localWorker();
  expect(sharesMemory).toBe(true);
  const sum = world.step();
  await worker.next('gradientWork');
  const { transfer } = await worker.next('weights');
  expect(transfer!.byteLength).toBe(weightBytes);
  const bytes = new Uint8Array(weightBytes).fill(1);
  weights.read(transfer!.id, transfer!.sharedOffset, bytes);
  expect(bytes.every((byte) => byte === 0)).toBe(true);
  answer(worker, results);
  expect((await sum).gradient.every((value) => value === 3)).toBe(true);
  expect(await worker.next('taken')).toEqual({ transfer: 1 });
  expect(worker.received.some(({ chunk }) => chunk)).toBe(false);
  const { shared_memory: shared, star } = world.server.traffic;
  expect(shared.sentBytes).toBe(weightBytes);
  expect(shared.receivedBytes).toBeGreaterThan(4 * layout.parameterCount);
  expect(star.sentBytes).toBeLessThan(10_000);
  expect(world.pool.all().map(({ path }) => path)).toEqual(['shared_memory']);
});

onLinux('a key that was not given out shares nothing', async () => {
  const { descriptors } = memory.allocate()!;
  const { worker, sharesMemory, results } = await localWorker({ key: randomBytes(16), descriptors });
  expect(sharesMemory).toBe(false);
  void world.step().catch(() => {});
  expect((await worker.next('weights')).transfer!.sharedOffset).toBe(0);
  await worker.next('chunk');
  answer(worker, results);
  expect((await worker.next('refusal')).message).toMatch(
    /a node result is announced at byte 4096 of shared memory, but no memory is shared/,
  );
});

onLinux('a result that is not where it is said to be is refused', async () => {
  const { worker, results } = await localWorker();
  void world.step().catch(() => {});
  await worker.next('gradientWork');
  results.put(9, [new Uint8Array(9)], {});
  const byteLength = byteLengthOf(payloadArrays(payload(8, 3)).map(bytesOf));
  const position = { iteration: 0, epoch: 0, step: 0 };
  const transfer = { id: 1, byteLength, sharedOffset: 4096 };
  worker.send({ nodeResult: { position, node: { level: 2, index: 0 }, transfer } });
  expect(await worker.next('refusal')).toMatchObject({
    code: 'BAD_MESSAGE',
    message: expect.stringMatching(/^transfer 1 of \d+ bytes is not at byte 4096 /),
  });
});

onLinux('the key of a process that has ended is worth nothing', async () => {
  const allocation = memory.allocate()!;
  const { worker } = await localWorker(allocation);
  memory.processEnded(allocation);
  worker.leave();
  await vi.waitFor(() => expect(world.pool.all()).toEqual([]));
  const [weights] = allocation.descriptors;
  expect(memory.attach(allocation.key)).toBeNull();
  // The weights' memory is everybody's, and stays.
  expect(() => new SharedReader(weights).read(1, 4096, new Uint8Array(1))).toThrow('is not at byte 4096');
});
