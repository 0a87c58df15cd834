import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { CoordinatorServer } from '../../src/coordinator/admission/server.js';
import { runGradientStep } from '../../src/coordinator/dispatch/gradient-step.js';
import type { Member } from '../../src/coordinator/dispatch/member.js';
import { WorkerPool } from '../../src/coordinator/dispatch/pool.js';
import type { WorkEvent } from '../../src/coordinator/dispatch/work-event.js';
import { type NodePayload, payloadBytes } from '../../src/reduction/payload.js';
import { readTrainingRun } from '../../src/run/read.js';
import { ReceiveWindows } from '../../src/transport/receive-windows.js';
import { protocolVersion, receiveWindow } from '../../src/transport/service.js';
import { admissionOf } from '../kit/admission.js';
import {
  describedStep,
  identity,
  layout,
  payload,
  ScriptedWorker,
  shape,
  tree,
} from '../kit/scripted-worker.js';
import { TcpProxy } from '../kit/tcp-proxy.js';

const run = readTrainingRun('examples/quick.yaml');
let warnings: unknown[][] = [];
const log = { info: () => {}, warn: (...line: unknown[]) => void warnings.push(line), error: () => {} };

let pool: WorkerPool;
let server: CoordinatorServer;
let address: string;
let workers: ScriptedWorker[];
let refusals: [string, string][];
const identities: string[] = [];

const worker = () => {
  const scripted = new ScriptedWorker(address);
  workers.push(scripted);
  return scripted;
};
const joined = async (changed?: object) => {
  const scripted = worker();
  await scripted.join(changed);
  await scripted.next('admitted');
  return scripted;
};
const step = (signal = new AbortController().signal, notify: (event: WorkEvent) => void = () => {}) =>
  runGradientStep(describedStep(), {
    pool,
    clock: systemClock,
    notify,
    signal,
    onLateContradiction: () => {},
  });

beforeEach(async () => {
  pool = new WorkerPool();
  workers = [];
  refusals = [];
  warnings = [];
  pool.on('answerRejected', (_, reason, sentence) => refusals.push([reason, sentence]));
  const admission = admissionOf(run);
  server = new CoordinatorServer({
    admission,
    pool,
    log,
    onIdentity: ({ engine }) => identities.push(engine as string),
    protection: { tls: null, joinToken: null },
  });
  address = await server.listen('127.0.0.1:0');
});
afterEach(async () => {
  for (const scripted of workers) scripted.leave();
  await server.close({ reason: 'the test is over' });
});

describe('admission', () => {
  test('a worker is joining until its identity fits, then ready', async () => {
    const widen = vi.spyOn(ReceiveWindows.prototype, 'widen');
    const scripted = worker();
    scripted.hello();
    const welcome = await scripted.next('welcome');
    expect(welcome).toMatchObject({ run: 'quick', slot: 0, classCount: 2 });
    expect(JSON.parse(welcome.runFile)).toEqual(JSON.parse(JSON.stringify(run)));
    expect([pool.count('joining'), pool.count('ready')]).toEqual([1, 0]);
    // It may send little ahead before it is a member.
    expect(widen).not.toHaveBeenCalled();
    scripted.send({ ready: { identity, device: 'cpu', deterministic: true } });
    await scripted.next('admitted');
    expect([pool.count('joining'), pool.count('ready')]).toEqual([0, 1]);
    expect(widen).toHaveBeenCalledExactlyOnceWith(pool.all()[0]!.stream.getPeer(), receiveWindow);
    widen.mockRestore();
    scripted.leave();
    await once(pool, 'gone');
    expect([pool.count('ready'), pool.count('gone')]).toEqual([0, 1]);
  });

  test.each([
    [
      'a newer protocol',
      { protocolVersion: protocolVersion + 1 },
      `the worker speaks protocol version ${protocolVersion + 1}, the coordinator ${protocolVersion}; upgrade fcaenet on the coordinator's machine`,
    ],
    [
      'an older protocol',
      { protocolVersion: protocolVersion - 1 },
      `the worker speaks protocol version ${protocolVersion - 1}, the coordinator ${protocolVersion}; upgrade fcaenet on the worker's machine`,
    ],
    ['another dataset', { datasetFingerprint: 'abc' }, /fingerprint abc…, the run's ffffffffffff…/],
  ])('%s is refused', async (_, changed, message) => {
    const scripted = worker();
    scripted.hello(changed);
    expect((await scripted.next('refusal')).message).toMatch(message);
    expect(pool.all()).toEqual([]);
  });

  test('a first message other than hello is refused', async () => {
    const scripted = worker();
    scripted.send({ heartbeat: {} });
    expect(await scripted.next('refusal')).toEqual({
      code: 'HELLO_MISSING',
      message: 'the first message was heartbeat, not hello',
    });
  });

  test('a worker without a numerical identity is refused', async () => {
    const scripted = worker();
    scripted.hello();
    await scripted.next('welcome');
    scripted.send({ ready: { device: 'cpu' } });
    expect(await scripted.next('refusal')).toEqual({
      code: 'IDENTITY_MISSING',
      message: 'the worker sent no numerical identity, but must send one when it is ready',
    });
  });

  test('an answer before admission is refused', async () => {
    const scripted = worker();
    scripted.hello();
    await scripted.next('welcome');
    scripted.send({ chunk: { transfer: 1, offset: 0, data: Buffer.alloc(1) } });
    expect(await scripted.next('refusal')).toEqual({
      code: 'BAD_MESSAGE',
      message: 'chunk came before the worker was admitted',
    });
  });

  test.each([
    ['instructionSet', 'avx512'],
    ['probeSha256', '1'.repeat(64)],
    ['threadsPerMicrobatch', 2],
  ])('another %s than the first worker is refused with both values', async (field, value) => {
    await joined();
    const other = worker();
    await other.join({ [field]: value });
    const { code, message } = await other.next('refusal');
    expect(code).toBe('NUMERICAL_IDENTITY');
    const [there, here] = [value, identity[field as 'engine']].map((each) =>
      String(each).replace(/^(\w{12})\w{52}$/, '$1…'),
    );
    expect(message).toContain(`${field} is ${there}, expected ${here}`);
    expect(pool.admitted()).toHaveLength(1);
  });

  test('a worker of another build is refused with the build to go on with', async () => {
    await joined();
    const other = worker();
    await other.join({ buildHash: '2'.repeat(64), probeSha256: '1'.repeat(64) });
    expect((await other.next('refusal')).message).toMatch(
      /^this worker would not compute the run's bits: buildHash is 222222222222…, expected \S+; use the build that started the run, fcaenet 0\.1\.0, or admit this worker with spec\.operation\.exactness=best-effort, which gives other bits$/,
    );
  });
});

test('a second stream of a connection is refused with the reason', async () => {
  const scripted = worker();
  await scripted.join();
  await scripted.next('admitted');
  expect(await scripted.openAnotherStream()).toEqual({
    code: 'TOO_MANY_STREAMS',
    message: 'this connection already had a stream, expected only one',
  });
});

describe('a worker that comes back', () => {
  test('is a member by its newest stream; the older one is gone, and its work goes on', async () => {
    const old = await joined();
    const sum = step();
    await old.next('gradientWork');
    const reasons: string[] = [];
    pool.on('gone', (_, { reason }) => reasons.push(reason));
    const fresh = worker();
    fresh.hello({ instanceId: old.instanceId, session: 2 });
    await fresh.next('welcome');
    expect(reasons).toEqual(['it reconnected on a new stream']);
    fresh.send({ ready: { identity, device: 'cpu', deterministic: true } });
    expect((await fresh.next('gradientWork')).leaves).toHaveLength(4);
    fresh.answer(tree.root, payload(8, 5));
    expect((await sum).gradient[0]).toBe(5);
    expect(pool.all()).toHaveLength(1);
  });

  test('is not replaced by a stream that it opened before', async () => {
    const newer = worker();
    newer.hello({ session: 2 });
    await newer.next('welcome');
    const late = worker();
    late.hello({ instanceId: newer.instanceId, session: 1 });
    expect(await late.next('refusal')).toEqual({
      code: 'SESSION_SUPERSEDED',
      message: 'the worker opened session 1, but its session 2 is already open',
    });
    expect(pool.all()).toHaveLength(1);
  });

  test('hears that the coordinator lives', async () => {
    const scripted = await joined();
    await scripted.next('alive');
  });

  test('what it logs is logged under its name', async () => {
    const scripted = await joined();
    scripted.send({ logLine: { level: 'WARN', message: 'a slow disk', fields: '{"ms":7}' } });
    await vi.waitFor(() => expect(warnings).toHaveLength(1));
    expect(warnings).toEqual([
      ['worker log', { worker: 'worker 0 (w)', said: 'a slow disk', fields: { ms: 7 } }],
    ]);
  });
});

describe('a step', () => {
  test('is summed from whatever nodes the workers send', async () => {
    const [first, second] = [await joined(), await joined()];
    const sum = step();
    const works = await Promise.all([first, second].map((scripted) => scripted.next('gradientWork')));
    expect(works.map(({ leaves }) => leaves.map(({ index }) => index))).toEqual([
      [0, 1],
      [2, 3],
    ]);
    first.answer({ level: 1, index: 0 }, payload(4, 1));
    second.answer({ level: 0, index: 2 }, payload(2, 2));
    second.answer({ level: 0, index: 3 }, payload(2, 3));
    const { gradient, u, losses } = await sum;
    expect(gradient[0]).toBe(6);
    expect([...losses]).toEqual([6, 6, 6, 6]);
    expect([u[0], u[4 * 12], u[6 * 12]]).toEqual([1, 2, 3]);
    expect(pool.count('computing')).toBe(0);
  });

  test('goes to the others when a worker leaves', async () => {
    const [first, second] = [await joined(), await joined()];
    const redispatched: number[] = [];
    const sum = step(undefined, (event) => {
      if (event.type === 'work.redispatched') redispatched.push(event.units);
    });
    await first.next('gradientWork');
    first.answer({ level: 0, index: 0 }, payload(2, 1));
    await vi.waitFor(() => expect(pool.answers.microbatches).toBe(1));
    first.leave();
    second.answer({ level: 1, index: 1 }, payload(4, 2));
    await once(pool, 'gone');
    second.answer({ level: 0, index: 1 }, payload(2, 4));
    expect((await sum).gradient[0]).toBe(7);
    expect(redispatched).toEqual([1]);
  });

  test('waits where nobody is there, and begins with the first worker', async () => {
    let waits = 0;
    const sum = step(undefined, (event) => {
      if (event.type === 'work.waiting') waits++;
    });
    const late = await joined();
    expect((await late.next('gradientWork')).leaves).toHaveLength(4);
    late.answer(tree.root, payload(8, 5));
    expect((await sum).gradient[0]).toBe(5);
    expect(waits).toBe(1);
  });

  test('late answers to another step are dropped', async () => {
    const scripted = await joined();
    const sum = step();
    scripted.answer(tree.root, payload(8, 9), { iteration: 0, epoch: 0, step: 7 });
    scripted.answer(tree.root, payload(8, 5));
    expect((await sum).gradient[0]).toBe(5);
    expect(refusals).toEqual([]);
  });

  test('can be given up', async () => {
    const controller = new AbortController();
    const sum = step(controller.signal);
    controller.abort(new Error('enough'));
    await expect(sum).rejects.toThrow('enough');
  });

  const withNaN = () => {
    const bad = payload(8, 1);
    bad.gradient[17] = Number.NaN;
    return bad;
  };
  const exactBytes = payloadBytes(shape, 8);
  const withMoreMoments = (): NodePayload => {
    const { batchNorms, statisticsCount } = layout;
    const [counts, mean] = [2 * batchNorms.length, 2 * statisticsCount].map(
      (length) => new Float64Array(length),
    ) as [Float64Array<ArrayBuffer>, Float64Array<ArrayBuffer>];
    return { ...payload(8, 1), moments: { passes: 2, counts, mean, squaredDeviations: mean } };
  };
  test.each<[string, (scripted: ScriptedWorker) => void, string, string]>([
    [
      'a gradient that is not finite',
      (scripted) => scripted.answer(tree.root, withNaN()),
      'non_finite',
      'node 2/0 has NaN or infinity in its gradient',
    ],
    [
      'a gradient of the wrong length',
      (scripted) => scripted.answer(tree.root, payload(7, 1)),
      'wrong_length',
      `${exactBytes - 48} bytes are announced, but node 2/0 has ${exactBytes}`,
    ],
    [
      'a node with moments of another number of passes',
      (scripted) => scripted.answer(tree.root, withMoreMoments()),
      'wrong_length',
      `${payloadBytes({ ...shape, passes: 2 }, 8)} bytes are announced, but node 2/0 has ${exactBytes}`,
    ],
    [
      'a node that the tree does not have',
      (scripted) => scripted.answer({ level: 5, index: 3 }, payload(8, 1)),
      'unknown_node',
      "node 5/3 is not part of the step's tree",
    ],
    [
      'a chunk of nothing',
      (scripted) => scripted.send({ chunk: { transfer: 4, offset: 0, data: Buffer.alloc(8) } }),
      'bad_message',
      'a chunk names transfer 4, which is not open',
    ],
  ])('%s is refused, counted, and computed by another', async (_, lie, reason, sentence) => {
    const liar = await joined();
    const sum = step();
    await liar.next('gradientWork');
    lie(liar);
    expect(await liar.next('refusal')).toEqual({ code: reason.toUpperCase(), message: sentence });
    const honest = await joined();
    honest.answer(tree.root, payload(8, 5));
    expect((await sum).gradient[0]).toBe(5);
    expect(refusals).toEqual([[reason, sentence]]);
    expect(pool.all().map(({ slot }: Member) => slot)).toHaveLength(1);
  });

  test('an answer that is damaged on its way is counted, its worker not refused, and its work done by another', async () => {
    const proxy = await TcpProxy.to(address);
    const unlucky = new ScriptedWorker(`127.0.0.1:${proxy.port}`);
    workers.push(unlucky);
    await unlucky.join();
    await unlucky.next('admitted');
    const sum = step();
    await unlucky.next('gradientWork');
    const ended = once(unlucky.stream, 'end');
    proxy.corruptNext('up');
    unlucky.answer(tree.root, payload(8, 1));
    await ended;
    expect(unlucky.received.some(({ refusal }) => refusal)).toBe(false);
    expect(refusals).toEqual([['damaged', expect.stringMatching(/^a message of \d+ bytes is damaged/)]]);
    const honest = await joined();
    honest.answer(tree.root, payload(8, 5));
    expect((await sum).gradient[0]).toBe(5);
    await proxy.close();
  });
});
