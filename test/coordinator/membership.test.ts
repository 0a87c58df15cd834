import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type EncodeJob, encodeBatchSize, runEncodeJob } from '../../src/coordinator/encode-job.js';
import { reportWorkers } from '../../src/coordinator/event-sources.js';
import { describeWaiting } from '../../src/coordinator/fleet.js';
import {
  type GradientStep,
  runGradientStep,
  type StepObserver,
} from '../../src/coordinator/gradient-step.js';
import { Member, type MemberState, memberStates, type WorkerStream } from '../../src/coordinator/member.js';
import { WorkerPool } from '../../src/coordinator/pool.js';
import { CoordinatorServer } from '../../src/coordinator/server.js';
import { encodeWeights } from '../../src/coordinator/snapshot.js';
import { readTrainingRun } from '../../src/run/read.js';
import type { RunEventBody } from '../../src/transport/events/run-event.js';
import { describedStep, fingerprint, payload, ScriptedWorker, tree } from '../kit/scripted-worker.js';

const log = { info: () => {}, warn: () => {}, error: () => {} };

let pool: WorkerPool;
let server: CoordinatorServer;
let address: string;
let workers: ScriptedWorker[];
let compared: string[];

const joined = async () => {
  const scripted = new ScriptedWorker(address);
  workers.push(scripted);
  await scripted.join();
  await scripted.next('admitted');
  return scripted;
};
const step = (changed: Partial<GradientStep> = {}, observe: Partial<StepObserver> = {}) =>
  runGradientStep(
    pool,
    describedStep(changed),
    {
      redispatched: () => {},
      overdue: () => {},
      compared: (_, outcome) => compared.push(outcome),
      waiting: () => {},
      ...observe,
    },
    new AbortController().signal,
  );
/** Every deadline is the shortest one. */
const hurry = () => {
  for (let i = 0; i < 64; i++) pool.deadlines.observe(0.001);
};
const at = (number: number) => ({ iteration: 0, epoch: 0, step: number });
/** A step whose weights are more than a connection takes at once. */
const large = (version: number): Partial<GradientStep> => {
  const none = new Float32Array(0);
  const weights = { parameters: new Float32Array(4 << 20), mean: none, variance: none };
  return { position: at(version), weights: encodeWeights(1, version, weights) };
};
const open = async (minWorkers = 1, ...settings: string[]) => {
  const run = readTrainingRun('examples/quick.yaml', ['spec.operation.membership.maxWorkers=4', ...settings]);
  pool = new WorkerPool(minWorkers);
  const admission = { run, term: 1, datasetFingerprint: fingerprint, classCount: 2, identity: null };
  server = new CoordinatorServer(admission, pool, log, () => {}, { tls: null, joinToken: null });
  address = await server.listen('127.0.0.1:0');
};

beforeEach(() => {
  workers = [];
  compared = [];
});
afterEach(async () => {
  for (const scripted of workers) scripted.leave();
  await server?.close('the test is over', false);
});

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
    const member = new Member(0, 'w', 'i', 1, { on: () => {} } as unknown as WorkerStream, 0);
    for (const state of pathTo[from]) member.moveTo(state);
    if (legal.includes(`${from}→${to}`)) {
      member.moveTo(to);
      expect(member.state).toBe(to);
    } else {
      expect(() => member.moveTo(to)).toThrow(
        expect.objectContaining({ code: 'COORDINATOR_ILLEGAL_TRANSITION' }),
      );
      expect(member.state).toBe(from);
    }
  });
});

describe('draining', () => {
  beforeEach(() => open());

  test('a drained worker answers what it holds and is sent home', async () => {
    const first = await joined();
    const sum = step();
    await first.next('gradientWork');
    expect(pool.drain('0')).toBe(true);
    expect(pool.all()[0]!.state).toBe('draining');
    first.answer(tree.root, payload(8, 5));
    expect((await sum).gradient[0]).toBe(5);
    expect((await first.next('finish')).reason).toBe('it was drained');
    await vi.waitFor(() => expect(pool.count('gone')).toBe(1));
  });

  test('a draining worker gets nothing new; an unknown one is not drained', async () => {
    const [, second] = [await joined(), await joined()];
    pool.drain('0');
    const sum = step();
    expect((await second.next('gradientWork')).leaves).toHaveLength(4);
    second.answer(tree.root, payload(8, 5));
    await sum;
    expect(pool.drain('nobody')).toBe(false);
  });

  test('a worker that says it leaves hands back what it holds', async () => {
    const first = await joined();
    const states: string[] = [];
    const member = pool.all()[0]!;
    pool.on('change', () => states.push(member.state));
    const sum = step();
    await first.next('gradientWork');
    first.send({ leaving: { reason: 'tired' } });
    await once(pool, 'gone');
    expect(states).toEqual(['computing', 'draining', 'gone']);
    const second = await joined();
    second.answer(tree.root, payload(8, 5));
    expect((await sum).gradient[0]).toBe(5);
  });
});

describe('enough workers', () => {
  test('work waits for the least number, and says so', async () => {
    await open(2);
    let waits = 0;
    const first = await joined();
    expect(describeWaiting(pool.waiting!)).toMatch(/^1 of 2 workers; waiting since \d{4}-/);
    const sum = step({}, { waiting: () => waits++ });
    expect(waits).toBe(1);
    const second = await joined();
    expect(pool.waiting).toBeNull();
    await Promise.all([first, second].map((each) => each.next('gradientWork')));
    first.answer({ level: 1, index: 0 }, payload(4, 1));
    second.answer({ level: 1, index: 1 }, payload(4, 2));
    expect((await sum).gradient[0]).toBe(3);
  });

  test('more than the most are refused', async () => {
    await open();
    for (let i = 0; i < 4; i++) await joined();
    const fifth = new ScriptedWorker(address);
    workers.push(fifth);
    fifth.hello();
    expect(await fifth.next('refusal')).toEqual({
      code: 'TOO_MANY_WORKERS',
      message: 'the run already has 4 workers, as many as spec.operation.membership.maxWorkers allows',
    });
  });
});

describe('a straggler', () => {
  beforeEach(() => open());

  test('others compute the same; it gets nothing until it answers, and then takes part again', async () => {
    const [first, second] = [await joined(), await joined()];
    hurry();
    const late: number[] = [];
    const sum = step({}, { overdue: (_, leaves) => late.push(leaves) });
    second.answer({ level: 1, index: 1 }, payload(4, 2));
    await vi.waitFor(() => expect(late).toEqual([2]), { timeout: 3000 });
    second.answer({ level: 1, index: 0 }, payload(4, 1), undefined, 2);
    expect((await sum).gradient[0]).toBe(3);
    const stopped = pool.all()[0]!;
    expect([stopped.state, stopped.overdue]).toEqual(['computing', 2]);
    expect(pool.available().map(({ slot }) => slot)).toEqual([1]);
    first.answer({ level: 1, index: 0 }, payload(4, 1), undefined, 2);
    await vi.waitFor(() => expect(stopped.overdue).toBe(0));
    expect(stopped.state).toBe('ready');
    expect(pool.available().map(({ slot }) => slot)).toEqual([0, 1]);
    expect(compared).toEqual(['agreed', 'agreed']);
    expect(pool.contradiction).toBeNull();
  });

  test('a late answer that contradicts what was used stops the run at its next step', async () => {
    const [first, second] = [await joined(), await joined()];
    hurry();
    let isLate = false;
    const sum = step({}, { overdue: () => (isLate = true) });
    second.answer({ level: 1, index: 1 }, payload(4, 2));
    await vi.waitFor(() => expect(isLate).toBe(true), { timeout: 3000 });
    second.answer({ level: 1, index: 0 }, payload(4, 1));
    await sum;
    first.answer({ level: 1, index: 0 }, payload(4, 9));
    await vi.waitFor(() => expect(compared).toContain('contradiction'));
    await expect(step()).rejects.toMatchObject({ code: 'COORDINATOR_CONTRADICTION' });
  });
});

describe('verification', () => {
  beforeEach(() => open());
  const leaf = (index: number) => ({ level: 0, index });

  test('a microbatch is computed twice and compared', async () => {
    const [first, second] = [await joined(), await joined()];
    const sum = step({ verified: [0] });
    await first.next('gradientWork');
    await vi.waitFor(() => expect(first.workReceived()).toEqual([[0], [1]]));
    await vi.waitFor(() => expect(second.workReceived()).toEqual([[2, 3], [0]]));
    first.answer(leaf(0), payload(2, 1));
    first.answer(leaf(1), payload(2, 1));
    second.answer({ level: 1, index: 1 }, payload(4, 1));
    second.answer(leaf(0), payload(2, 1));
    expect((await sum).gradient[0]).toBe(3);
    expect(compared).toEqual(['agreed']);
  });

  test('what came is compared, not what a worker says of it', async () => {
    const [first, second] = [await joined(), await joined()];
    const sum = step({ verified: [0] });
    // As after a fault of its memory: the digest is that of what it computed, the numbers are others.
    first.answer(leaf(0), payload(2, 9), undefined, 1);
    expect(await first.next('refusal')).toMatchObject({
      code: 'WRONG_DIGEST',
      message: expect.stringMatching(
        /^microbatch 0 came with digest [0-9a-f]{12}…, but what came has [0-9a-f]{12}…$/,
      ),
    });
    second.answer({ level: 1, index: 1 }, payload(4, 1));
    second.answer(leaf(0), payload(2, 1));
    second.answer(leaf(1), payload(2, 1));
    expect((await sum).gradient[0]).toBe(3);
  });

  test('a microbatch that is compared comes alone', async () => {
    const [first, second] = [await joined(), await joined()];
    const sum = step({ verified: [0] });
    first.answer({ level: 1, index: 0 }, payload(4, 1));
    expect((await first.next('refusal')).message).toBe(
      'microbatch 0 is compared and must come alone, but came in node 1/0',
    );
    second.answer({ level: 1, index: 1 }, payload(4, 1));
    for (const index of [0, 1]) second.answer(leaf(index), payload(2, 1));
    expect((await sum).gradient[0]).toBe(3);
  });

  test('a third worker decides, the odd one is set aside and not let in again, its answers are not used', async () => {
    const [first, second, third] = [await joined(), await joined(), await joined()];
    const odd: string[] = [];
    pool.on('setAside', (member, fault) => odd.push(`${member.slot} ${fault}`));
    // Shares are 0 and 1, 2, 3; the wrong one computed what is verified.
    const sum = step({ verified: [0] });
    first.answer(leaf(0), payload(2, 9));
    first.answer(leaf(1), payload(2, 9));
    second.answer(leaf(2), payload(2, 1));
    third.answer(leaf(3), payload(2, 1));
    second.answer(leaf(0), payload(2, 1));
    await vi.waitFor(() => expect(compared).toEqual(['contradiction']));
    third.answer(leaf(0), payload(2, 1));
    expect((await first.next('refusal')).code).toBe('SET_ASIDE');
    expect(odd).toEqual(['0 wrong']);
    for (const index of [0, 1, 2, 3]) second.answer(leaf(index), payload(2, 1));
    expect((await sum).gradient[0]).toBe(4);
    const again = new ScriptedWorker(address);
    workers.push(again);
    again.hello({ instanceId: first.instanceId, session: 2 });
    expect((await again.next('refusal')).message).toMatch('the worker was set aside: of microbatch 0');
  });

  test('where nobody can decide, the run stops', async () => {
    const [first, second] = [await joined(), await joined()];
    const sum = step({ verified: [0] });
    const ended = expect(sum).rejects.toMatchObject({ code: 'COORDINATOR_CONTRADICTION' });
    first.answer(leaf(0), payload(2, 9));
    second.answer({ level: 1, index: 1 }, payload(4, 1));
    second.answer(leaf(0), payload(2, 1));
    await ended;
  });

  test('with one worker nothing waits for a second', async () => {
    const only = await joined();
    const sum = step({ verified: [0, 1, 2, 3] });
    for (const index of [0, 1, 2, 3]) only.answer(leaf(index), payload(2, 5));
    expect((await sum).gradient[0]).toBe(20);
  });
});

describe('a late joiner', () => {
  beforeEach(() => open());

  test('gets the weights at once, while the others compute', async () => {
    const first = await joined();
    const sum = step();
    await first.next('gradientWork');
    const late = await joined();
    await late.next('weights');
    expect(late.received.some(({ gradientWork }) => gradientWork)).toBe(false);
    first.answer(tree.root, payload(8, 5));
    await sum;
  });

  test('delays no step while its weights are on their way', async () => {
    const first = await joined();
    const during = step(large(0));
    await first.next('gradientWork');
    const late = await joined();
    late.stream.pause();
    first.answer(tree.root, payload(8, 5), at(0));
    await during;
    // All of the work falls to the first: where the other had a share, these would wait for it.
    for (const number of [1, 2, 3]) {
      const sum = step(large(number));
      first.answer(tree.root, payload(8, number), at(number));
      expect((await sum).gradient[0]).toBe(number);
    }
    expect(pool.all()[1]).toMatchObject({ isReceiving: true, outstanding: 0 });
    late.stream.resume();
    await vi.waitFor(() => expect(pool.all()[1]!.isReceiving).toBe(false), { timeout: 10_000 });
    const sum = step(large(4));
    first.answer({ level: 1, index: 0 }, payload(4, 1), at(4));
    late.answer({ level: 1, index: 1 }, payload(4, 2), at(4));
    expect((await sum).gradient[0]).toBe(3);
  });
});

describe('a worker that does not read', () => {
  test('holds one step of work in memory at most, and is given up', async () => {
    await open(1, 'spec.operation.membership.silenceSeconds=5');
    const [first, second] = [await joined(), await joined()];
    const mute = pool.all()[1]!;
    second.stream.pause();
    // It says that it lives, all the same.
    const beat = setInterval(() => second.send({ heartbeat: {} }), 200);
    const gone = once(pool, 'gone');
    try {
      hurry();
      const unfinished = step(large(0));
      first.answer({ level: 1, index: 0 }, payload(4, 1), at(0));
      await vi.waitFor(() => expect(mute.overdue).toBe(2), { timeout: 5_000 });
      first.answer({ level: 1, index: 1 }, payload(4, 1), at(0));
      await unfinished;
      for (const number of [1, 2, 3, 4, 5]) {
        const sum = step(large(number));
        first.answer(tree.root, payload(8, number), at(number));
        await sum;
      }
      expect(mute.weightsVersion).toBe(0);
      const [, { reason }] = (await gone) as [Member, { reason: string }];
      expect(reason).toMatch(/^it read nothing for \d s$/);
    } finally {
      clearInterval(beat);
    }
  });
});

test('a worker that is late again and again is set aside', async () => {
  await open();
  const [first, second] = [await joined(), await joined()];
  const slow = pool.all()[1]!;
  const published: RunEventBody[] = [];
  reportWorkers(pool, (body) => published.push(body));
  for (let number = 0; slow.state !== 'gone'; number++) {
    hurry();
    const sum = step({ position: at(number) });
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

test('a worker that is not let in is published, at the rate of the log', async () => {
  await open();
  const published: RunEventBody[] = [];
  reportWorkers(pool, (body) => published.push(body));
  for (let i = 0; i < 3; i++) {
    const stranger = new ScriptedWorker(address);
    workers.push(stranger);
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

describe('encoding', () => {
  test('the batches of a worker that is late go to others, and its own answer may still come', async () => {
    await open();
    const [first, second] = [await joined(), await joined()];
    const bytesPerImage = 2;
    const job: EncodeJob = {
      term: 1,
      output: 'CODES',
      split: 'TEST',
      images: Uint32Array.from({ length: 4 * encodeBatchSize }, (_, i) => i),
      bytesPerImage,
      weights: describedStep().weights,
    };
    const progress: number[] = [];
    const done = runEncodeJob(pool, job, (images) => progress.push(images), new AbortController().signal);
    const given = (worker: ScriptedWorker) => worker.received.flatMap(({ encodeWork }) => encodeWork ?? []);
    const answer = (worker: ScriptedWorker, batch: number) => {
      const { request } = given(worker).find((work) => work.batch === batch)!;
      worker.answerEncode(request, batch, encodeBatchSize * bytesPerImage, batch + 1);
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
    expect([...encoded.filter((_, i) => i % (encodeBatchSize * bytesPerImage) === 0)]).toEqual([1, 2, 3, 4]);
    expect(pool.all().map(({ outstanding }) => outstanding)).toEqual([0, 0]);
  });
});
