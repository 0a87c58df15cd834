import { Registry } from 'prom-client';
import { afterEach, expect, test, vi } from 'vitest';
import type { Member } from '../../src/coordinator/dispatch/member.js';
import { Instruments } from '../../src/coordinator/monitoring/metrics/instruments.js';
import { registerWorkerMetrics } from '../../src/coordinator/monitoring/metrics/worker-metrics.js';
import { layout, payload } from '../kit/scripted-worker.js';
import { ScriptedWorld } from '../kit/scripted-world.js';

let world: ScriptedWorld;
afterEach(() => world?.close());

test('microbatches, times, bytes and images of a worker are those of its own stream', async () => {
  world = await ScriptedWorld.open();
  const { pool, server } = world;
  const scripted = [await world.joined(), await world.joined()];
  const sum = world.step();
  for (const [index, each] of scripted.entries()) {
    await each.next('gradientWork');
    each.answer({ level: 1, index }, payload(4, 1));
  }
  await sum;
  scripted[0]!.send({ heartbeat: { imagesDecoded: 30, imagesFromCache: 12, overdueFileOperations: 3 } });
  const [{ tally }, { tally: other }] = pool.all() as [Member, Member];
  await vi.waitFor(() => expect(tally.imagesFromCache).toBe(12));
  expect(tally).toMatchObject({
    microbatches: 2,
    imagesDecoded: 30,
    overdueFileOperations: 3,
    overdueMicrobatches: 0,
  });
  expect(tally.turnaroundSeconds).toBeGreaterThan(0);
  expect(other).toMatchObject({ microbatches: 2, imagesDecoded: 0 });
  expect(pool.answers.microbatches).toBe(4);
  // Each got the weights and sent half of the gradients.
  const weightBytes = 4 * (layout.parameterCount + 2 * layout.statisticsCount);
  for (const each of [tally, other]) {
    expect(each.bytesSent).toBeGreaterThan(weightBytes);
    expect(each.bytesReceived).toBeGreaterThan(4 * layout.parameterCount);
  }
  // All of it but the hellos, which come before there is a member.
  await vi.waitFor(() => expect(tally.bytesSent + other.bytesSent).toBe(server.traffic.star.sentBytes));
  expect(server.traffic.star.receivedBytes - tally.bytesReceived - other.bytesReceived).toBeLessThan(1000);
});

test('however many come and go, there are no more series than workers at a time', async () => {
  world = await ScriptedWorld.open();
  const { pool } = world;
  const registry = new Registry();
  registerWorkerMetrics(new Instruments(registry), () => pool.all());
  const name = 'fcaenet_worker_microbatches_total';
  const series = async () =>
    (await registry.metrics()).split('\n').filter((line) => line.startsWith(`${name}{`));
  for (let i = 0; i < 5; i++) {
    const scripted = await world.joined();
    expect(await series()).toEqual([`${name}{worker="0"} 0`]);
    scripted.leave();
    await vi.waitFor(() => expect(pool.all()).toEqual([]));
    expect(await series()).toEqual([]);
  }
});
