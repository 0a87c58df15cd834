import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { describeWaiting } from '../../src/coordinator/admission/fleet.js';
import { type MemberState, memberStates } from '../../src/coordinator/dispatch/member.js';
import { forwardWorkerEvents } from '../../src/coordinator/monitoring/coordinator-event.js';
import { publishedEvents } from '../../src/coordinator/monitoring/published-events.js';
import type { RunEventBody } from '../../src/transport/events/run-event.js';
import { payload, tree } from '../kit/scripted-worker.js';
import { ScriptedWorld } from '../kit/scripted-world.js';
import { unconnectedMember } from '../kit/unconnected-member.js';

let world: ScriptedWorld;
afterEach(() => world?.close());

describe('states', () => {
  const legal = [
    'joining→ready',
    'joining→gone',
    'ready→computing',
    'ready→draining',
    'ready→gone',
    'computing→ready',
    'computing→draining',
    'computing→gone',
    'draining→gone',
  ];
  const pathTo: Record<MemberState, MemberState[]> = {
    joining: [],
    ready: ['ready'],
    computing: ['ready', 'computing'],
    draining: ['ready', 'draining'],
    gone: ['gone'],
  };
  const all = memberStates.flatMap((from) => memberStates.map((to) => [from, to] as const));
  test.each(all)('%s→%s', (from, to) => {
    const member = unconnectedMember();
    for (const state of pathTo[from]) member.moveTo(state);
    if (legal.includes(`${from}→${to}`)) {
      member.moveTo(to);
      expect(member.state).toBe(to);
    } else {
      expect(() => member.moveTo(to)).toThrow(
        expect.objectContaining({
          code: 'COORDINATOR_ILLEGAL_TRANSITION',
          message: expect.stringMatching(new RegExp(` is ${from} and cannot become ${to}, expected `)),
        }),
      );
      expect(member.state).toBe(from);
    }
  });
});

describe('draining', () => {
  beforeEach(async () => {
    world = await ScriptedWorld.open();
  });

  test('a drained worker answers what it holds and is sent home', async () => {
    const first = await world.joined();
    const sum = world.step();
    await first.next('gradientWork');
    expect(world.pool.drain('0')).toBe(true);
    expect(world.pool.all()[0]!.state).toBe('draining');
    first.answer(tree.root, payload(8, 5));
    expect((await sum).gradient[0]).toBe(5);
    expect((await first.next('finish')).reason).toBe('it was drained');
    await vi.waitFor(() => expect(world.pool.count('gone')).toBe(1));
  });

  test('a draining worker gets nothing new; an unknown one is not drained', async () => {
    const [, second] = [await world.joined(), await world.joined()];
    world.pool.drain('0');
    const sum = world.step();
    expect((await second.next('gradientWork')).leaves).toHaveLength(4);
    second.answer(tree.root, payload(8, 5));
    await sum;
    expect(world.pool.drain('nobody')).toBe(false);
  });

  test('a worker that says it leaves hands back what it holds', async () => {
    const first = await world.joined();
    const moves = vi.spyOn(world.pool.all()[0]!, 'moveTo');
    const sum = world.step();
    await first.next('gradientWork');
    first.send({ leaving: { reason: 'tired' } });
    await once(world.pool, 'gone');
    expect(moves.mock.calls.flat()).toEqual(['computing', 'draining', 'gone']);
    const second = await world.joined();
    second.answer(tree.root, payload(8, 5));
    expect((await sum).gradient[0]).toBe(5);
  });
});

describe('enough workers', () => {
  test('work waits for the least number, and says so', async () => {
    world = await ScriptedWorld.open(2);
    let waits = 0;
    const first = await world.joined();
    expect(describeWaiting(world.pool.waiting!)).toMatch(/^1 of 2 workers; waiting since \d{4}-/);
    const sum = world.step({}, ({ type }) => {
      if (type === 'work.waiting') waits++;
    });
    expect(waits).toBe(1);
    const second = await world.joined();
    expect(world.pool.waiting).toBeNull();
    await Promise.all([first, second].map((each) => each.next('gradientWork')));
    first.answer({ level: 1, index: 0 }, payload(4, 1));
    second.answer({ level: 1, index: 1 }, payload(4, 2));
    expect((await sum).gradient[0]).toBe(3);
  });

  test('more than the most are refused', async () => {
    world = await ScriptedWorld.open();
    for (let i = 0; i < 4; i++) await world.joined();
    const fifth = world.stranger();
    fifth.hello();
    expect(await fifth.next('refusal')).toEqual({
      code: 'TOO_MANY_WORKERS',
      message: 'the run already has 4 workers, the limit of spec.operation.membership.maxWorkers',
    });
  });
});

describe('verification', () => {
  beforeEach(async () => {
    world = await ScriptedWorld.open();
  });
  const leaf = (index: number) => ({ level: 0, index });

  test('a microbatch is computed twice and compared', async () => {
    const [first, second] = [await world.joined(), await world.joined()];
    const sum = world.step({ verified: [0] });
    await first.next('gradientWork');
    await vi.waitFor(() => expect(first.workReceived()).toEqual([[0], [1]]));
    await vi.waitFor(() => expect(second.workReceived()).toEqual([[2, 3], [0]]));
    first.answer(leaf(0), payload(2, 1));
    first.answer(leaf(1), payload(2, 1));
    second.answer({ level: 1, index: 1 }, payload(4, 1));
    second.answer(leaf(0), payload(2, 1));
    expect((await sum).gradient[0]).toBe(3);
    expect(world.compared).toEqual(['agreed']);
  });

  test('what came is compared, not what a worker says of it', async () => {
    const [first, second] = [await world.joined(), await world.joined()];
    const sum = world.step({ verified: [0] });
    await first.next('gradientWork');
    // As after a fault of its memory: the digest is that of what it computed, the numbers are others.
    first.answer(leaf(0), payload(2, 9), undefined, 1);
    expect(await first.next('refusal')).toMatchObject({
      code: 'WRONG_DIGEST',
      message: expect.stringMatching(
        /^microbatch 0 was announced with digest [0-9a-f]{12}…, but the received bytes have [0-9a-f]{12}…$/,
      ),
    });
    second.answer({ level: 1, index: 1 }, payload(4, 1));
    second.answer(leaf(0), payload(2, 1));
    second.answer(leaf(1), payload(2, 1));
    expect((await sum).gradient[0]).toBe(3);
  });

  test('a microbatch that is compared comes alone', async () => {
    const [first, second] = [await world.joined(), await world.joined()];
    const sum = world.step({ verified: [0] });
    first.answer({ level: 1, index: 0 }, payload(4, 1));
    expect((await first.next('refusal')).message).toBe(
      'microbatch 0 is compared and must be sent alone, but was sent in node 1/0',
    );
    second.answer({ level: 1, index: 1 }, payload(4, 1));
    for (const index of [0, 1]) second.answer(leaf(index), payload(2, 1));
    expect((await sum).gradient[0]).toBe(3);
  });

  test('a third worker decides, the odd one is set aside and not let in again, its answers are not used', async () => {
    const [first, second, third] = [await world.joined(), await world.joined(), await world.joined()];
    const odd: string[] = [];
    world.pool.on('setAside', (member, fault) => odd.push(`${member.slot} ${fault}`));
    // Shares are 0 and 1, 2, 3; the wrong one computed what is verified.
    const sum = world.step({ verified: [0] });
    first.answer(leaf(0), payload(2, 9));
    first.answer(leaf(1), payload(2, 9));
    second.answer(leaf(2), payload(2, 1));
    third.answer(leaf(3), payload(2, 1));
    second.answer(leaf(0), payload(2, 1));
    await vi.waitFor(() => expect(world.compared).toEqual(['contradiction']));
    third.answer(leaf(0), payload(2, 1));
    expect((await first.next('refusal')).code).toBe('SET_ASIDE');
    expect(odd).toEqual(['0 wrong']);
    // The third's answer counts; the rest is computed anew, by those who are asked.
    second.answer(leaf(1), payload(2, 1));
    second.answer(leaf(2), payload(2, 1));
    third.answer(leaf(3), payload(2, 1));
    expect((await sum).gradient[0]).toBe(4);
    const again = world.stranger();
    again.hello({ instanceId: first.instanceId, session: 2 });
    expect((await again.next('refusal')).message).toMatch(
      'the worker was set aside: its gradients of microbatch 0',
    );
  });

  test('where nobody can decide, the run stops', async () => {
    const [first, second] = [await world.joined(), await world.joined()];
    const sum = world.step({ verified: [0] });
    const ended = expect(sum).rejects.toMatchObject({ code: 'COORDINATOR_CONTRADICTION' });
    first.answer(leaf(0), payload(2, 9));
    second.answer({ level: 1, index: 1 }, payload(4, 1));
    second.answer(leaf(0), payload(2, 1));
    await ended;
  });

  test('with one worker nothing waits for a second', async () => {
    const only = await world.joined();
    const sum = world.step({ verified: [0, 1, 2, 3] });
    for (const index of [0, 1, 2, 3]) only.answer(leaf(index), payload(2, 5));
    expect((await sum).gradient[0]).toBe(20);
  });
});

test('a worker that is not let in is published, at the rate of the log', async () => {
  world = await ScriptedWorld.open();
  const published: RunEventBody[] = [];
  forwardWorkerEvents(
    world.pool,
    publishedEvents('fcaenet', { history: [] }, (body) => published.push(body)),
  );
  for (let i = 0; i < 3; i++) {
    const stranger = world.stranger();
    stranger.hello({ datasetFingerprint: 'abc', workerName: 'rack 3' });
    await stranger.next('refusal');
  }
  expect(published).toEqual([
    {
      type: 'worker.refused',
      worker: 'rack_3',
      code: 'DATASET_FINGERPRINT',
      reason: expect.stringMatching(/^the worker's dataset has fingerprint abc…/),
    },
  ]);
});
