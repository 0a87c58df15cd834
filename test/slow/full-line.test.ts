import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { WorkEvent } from '../../src/coordinator/dispatch/work-event.js';
import { payload, type ScriptedWorker } from '../kit/scripted-worker.js';
import { at, largeStep, ScriptedWorld } from '../kit/scripted-world.js';
import type { TcpProxy } from '../kit/tcp-proxy.js';

let world: ScriptedWorld;
let proxies: TcpProxy[];
let workers: ScriptedWorker[];
/** Numbers of microbatches that were late. */
let late: number[];

const notify = (event: WorkEvent) => {
  if (event.type === 'work.overdue') late.push(event.units);
};

beforeEach(async () => {
  late = [];
  world = await ScriptedWorld.open();
  proxies = [await world.proxy(), await world.proxy()];
  workers = [await world.joined(proxies[0]), await world.joined(proxies[1])];
  // The deadline of two microbatches is two seconds.
  world.hurry(0.25);
});
afterEach(() => world.close());

test('nobody is late while answers arrive over a full line, and no work is handed out twice', async () => {
  const sum = world.step({}, notify);
  for (const worker of workers) await worker.next('gradientWork');
  // An answer has 0.9 MB.
  for (const proxy of proxies) proxy.throttle(250_000);
  const began = performance.now();
  for (const [index, worker] of workers.entries()) worker.answer({ level: 1, index }, payload(4, 1));
  await sum;
  expect(performance.now() - began).toBeGreaterThan(2_500);
  expect(late).toEqual([]);
  expect(workers.map((worker) => worker.workReceived())).toEqual([[[0, 1]], [[2, 3]]]);
});

test('nobody is late while weights and work wait for a full line', async () => {
  for (const proxy of proxies) proxy.throttle(10 << 20);
  const began = performance.now();
  const sum = world.step(largeStep(0), notify);
  await Promise.all(
    workers.map(async (worker, index) => {
      await worker.next('gradientWork');
      worker.answer({ level: 1, index }, payload(4, 1), at(0));
    }),
  );
  await sum;
  expect(performance.now() - began).toBeGreaterThan(2_500);
  expect(late).toEqual([]);
});

test('a worker whose answer stops on its way is late, and others compute its work', async () => {
  const [first, second] = workers as [ScriptedWorker, ScriptedWorker];
  const sum = world.step({}, notify);
  for (const worker of workers) await worker.next('gradientWork');
  second.answer({ level: 1, index: 1 }, payload(4, 1));
  await vi.waitFor(() => expect(world.pool.all()[1]!.outstanding).toBe(0));
  proxies[0]!.throttle(100_000);
  first.answer({ level: 1, index: 0 }, payload(4, 1));
  await vi.waitFor(() => expect(world.pool.all()[0]!.receiver.arrival).not.toBeNull());
  proxies[0]!.pause();
  await vi.waitFor(() => expect(late).toEqual([2]), { timeout: 5_000 });
  await vi.waitFor(() => expect(second.workReceived()).toContainEqual([0, 1]));
  second.answer({ level: 1, index: 0 }, payload(4, 1));
  await sum;
});
