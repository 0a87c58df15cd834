import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { runEncodeJob } from '../../src/coordinator/dispatch/encode-job.js';
import type { Member } from '../../src/coordinator/dispatch/member.js';
import { forwardWorkerEvents } from '../../src/coordinator/monitoring/coordinator-event.js';
import { publishedEvents } from '../../src/coordinator/monitoring/published-events.js';
import { encodeBatchSize } from '../../src/schedule/encode-batches.js';
import type { RunEventBody } from '../../src/transport/events/run-event.js';
import {
  describedEncodeJob,
  encodedBytes,
  payload,
  type ScriptedWorker,
  tree,
} from '../kit/scripted-worker.js';
import { at, largeStep, ScriptedWorld } from '../kit/scripted-world.js';

let world: ScriptedWorld;
afterEach(() => world?.close());

describe('a straggler', () => {
  beforeEach(async () => {
    world = await ScriptedWorld.open();
  });

  test('others compute the same; it gets nothing until it answers, and then takes part again', async () => {
    const [first, second] = [await world.joined(), await world.joined()];
    world.hurry();
    const late: number[] = [];
    const sum = world.step({}, (event) => {
      if (event.type === 'work.overdue') late.push(event.units);
    });
    second.answer({ level: 1, index: 1 }, payload(4, 2));
    await vi.waitFor(() => expect(late).toEqual([2]), { timeout: 3000 });
    second.answer({ level: 1, index: 0 }, payload(4, 1), undefined, 2);
    expect((await sum).gradient[0]).toBe(3);
    const stopped = world.pool.all()[0]!;
    expect([stopped.state, stopped.overdue]).toEqual(['computing', 2]);
    expect(world.pool.available().map(({ slot }) => slot)).toEqual([1]);
    first.answer({ level: 1, index: 0 }, payload(4, 1), undefined, 2);
    await vi.waitFor(() => expect(stopped.overdue).toBe(0));
    expect(stopped.state).toBe('ready');
    expect(world.pool.available().map(({ slot }) => slot)).toEqual([0, 1]);
    expect(world.compared).toEqual(['agreed', 'agreed']);
    expect(world.lateContradictions).toEqual([]);
  });

  test.each([
    ['of several microbatches', [{ level: 1, index: 0 }], 4],
    [
      'of single microbatches, hashed by the coordinator alone,',
      [0, 1].map((index) => ({ level: 0, index })),
      2,
    ],
  ])('a late answer %s that contradicts what was used stops the run', async (_, nodes, rows) => {
    const [first, second] = [await world.joined(), await world.joined()];
    world.hurry();
    let isLate = false;
    const sum = world.step({}, ({ type }) => {
      isLate ||= type === 'work.overdue';
    });
    second.answer({ level: 1, index: 1 }, payload(4, 2));
    await vi.waitFor(() => expect(isLate).toBe(true), { timeout: 3000 });
    for (const node of nodes) second.answer(node, payload(rows, 1));
    await sum;
    for (const node of nodes) first.answer(node, payload(rows, 9));
    await vi.waitFor(() => expect(world.compared).toContain('contradiction'));
    expect(world.lateContradictions[0]).toMatchObject({ code: 'COORDINATOR_CONTRADICTION' });
  });
});

describe('a late joiner', () => {
  beforeEach(async () => {
    world = await ScriptedWorld.open();
  });

  test('gets the weights at once, while the others compute', async () => {
    const first = await world.joined();
    const sum = world.step();
    await first.next('gradientWork');
    const late = await world.joined();
    await late.next('weights');
    expect(late.received.some(({ gradientWork }) => gradientWork)).toBe(false);
    first.answer(tree.root, payload(8, 5));
    await sum;
  });

  test('delays no step while its weights are on their way', async () => {
    const first = await world.joined();
    const during = world.step(largeStep(0));
    await first.next('gradientWork');
    const late = await world.joined();
    late.stream.pause();
    first.answer(tree.root, payload(8, 5), at(0));
    await during;
    // All of the work falls to the first: where the other had a share, these would wait for it.
    for (const number of [1, 2, 3]) {
      const sum = world.step(largeStep(number));
      first.answer(tree.root, payload(8, number), at(number));
      expect((await sum).gradient[0]).toBe(number);
    }
    expect(world.pool.all()[1]).toMatchObject({ isReceiving: true, outstanding: 0 });
    late.stream.resume();
    await vi.waitFor(() => expect(world.pool.all()[1]!.isReceiving).toBe(false), { timeout: 10_000 });
    const sum = world.step(largeStep(4));
    first.answer({ level: 1, index: 0 }, payload(4, 1), at(4));
    late.answer({ level: 1, index: 1 }, payload(4, 2), at(4));
    expect((await sum).gradient[0]).toBe(3);
  });
});

describe('a worker that does not read', () => {
  test('holds one step of work in memory at most, and is given up', async () => {
    world = await ScriptedWorld.open(1, 'spec.operation.membership.silenceSeconds=5');
    const [first, second] = [await world.joined(), await world.joined()];
    const mute = world.pool.all()[1]!;
    second.stream.pause();
    // It says that it lives, all the same.
    const beat = setInterval(() => second.send({ heartbeat: {} }), 200);
    const gone = once(world.pool, 'gone');
    try {
      world.hurry();
      const unfinished = world.step(largeStep(0));
      first.answer({ level: 1, index: 0 }, payload(4, 1), at(0));
      await vi.waitFor(() => expect(mute.overdue).toBe(2), { timeout: 5_000 });
      first.answer({ level: 1, index: 1 }, payload(4, 1), at(0));
      await unfinished;
      for (const number of [1, 2, 3, 4, 5]) {
        const sum = world.step(largeStep(number));
        first.answer(tree.root, payload(8, number), at(number));
        await sum;
      }
      expect(mute.weightsVersion).toBe(0);
      const [, { reason }] = (await gone) as [Member, { reason: string }];
      expect(reason).toMatch(/^it read nothing for \d+ s$/);
    } finally {
      clearInterval(beat);
    }
  });
});

test('a worker that is late again and again is set aside', async () => {
  world = await ScriptedWorld.open();
  const [first, second] = [await world.joined(), await world.joined()];
  const slow = world.pool.all()[1]!;
  const published: RunEventBody[] = [];
  forwardWorkerEvents(
    world.pool,
    publishedEvents('fcaenet', { history: [] }, (body) => published.push(body)),
  );
  for (let number = 0; slow.state !== 'gone'; number++) {
    world.hurry();
    const sum = world.step({ position: at(number) });
    first.answer({ level: 1, index: 0 }, payload(4, 1), at(number));
    await vi.waitFor(() => expect(slow.overdue === 2 || slow.state === 'gone').toBe(true), {
      timeout: 5_000,
    });
    first.answer({ level: 1, index: 1 }, payload(4, 1), at(number), 1);
    await sum;
    second.answer({ level: 1, index: 1 }, payload(4, 1), at(number), 1);
    await vi.waitFor(() => expect(slow.overdue === 0 || slow.state === 'gone').toBe(true));
  }
  const reason = 'it missed more than 8 deadlines within 10 minutes';
  expect((await second.next('refusal')).message).toBe(reason);
  expect(published).toEqual([
    { type: 'worker.set-aside', worker: 'worker 1 (w)', reason },
    { type: 'worker.left', worker: 'worker 1 (w)', reason: `it was set aside: ${reason}` },
  ]);
});

describe('encoding', () => {
  test('the batches of a worker that is late go to others, and its own answer may still come', async () => {
    world = await ScriptedWorld.open();
    const [first, second] = [await world.joined(), await world.joined()];
    const progress: number[] = [];
    const done = runEncodeJob(describedEncodeJob(4), (images) => progress.push(images), world.surroundings());
    const given = (worker: ScriptedWorker) => worker.received.flatMap(({ encodeWork }) => encodeWork ?? []);
    const answer = (worker: ScriptedWorker, batch: number) => {
      const { request } = given(worker).find((work) => work.batch === batch)!;
      worker.answerEncode(request, batch, encodeBatchSize * encodedBytes, batch + 1);
    };
    await vi.waitFor(() => expect(given(first).map(({ batch }) => batch)).toEqual([0, 1]));
    await vi.waitFor(() => expect(given(second).map(({ batch }) => batch)).toEqual([2, 3]));
    for (const batch of [0, 1]) answer(first, batch);
    // What the first took is what the second is measured by.
    await vi.waitFor(() => expect(given(first).map(({ batch }) => batch)).toEqual([0, 1, 2, 3]), {
      timeout: 10_000,
    });
    answer(first, 2);
    answer(second, 3);
    const encoded = await done;
    expect(progress).toEqual([64, 128, 192, 256]);
    expect([...encoded.filter((_, i) => i % (encodeBatchSize * encodedBytes) === 0)]).toEqual([1, 2, 3, 4]);
    // What was handed out twice is still to come once, and is compared.
    expect(world.pool.all().map(({ outstanding }) => outstanding)).toEqual([1, 1]);
    answer(first, 3);
    answer(second, 2);
    await vi.waitFor(() => expect(world.pool.all().map(({ outstanding }) => outstanding)).toEqual([0, 0]));
    expect(world.compared).toEqual(['agreed', 'agreed']);
  });
});
