import { once } from 'node:events';
import { createServer } from 'node:net';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { WorkerStream } from '../../src/coordinator/dispatch/member.js';
import type { Dataset } from '../../src/data/dataset.js';
import { diallingOf } from '../../src/transport/credentials.js';
import type { CoordinatorMessage } from '../../src/transport/generated/fcaenet/v1/CoordinatorMessage.js';
import type { WorkerMessage__Output } from '../../src/transport/generated/fcaenet/v1/WorkerMessage.js';
import { coordinatorService } from '../../src/transport/service.js';
import type { ComputingRun } from '../../src/worker/computing-run.js';
import { type Connection, dial } from '../../src/worker/connection.js';
import { Session, type SessionEnding } from '../../src/worker/session.js';
import { StreamedLog } from '../../src/worker/streamed-log.js';
import { WorkerCache } from '../../src/worker/worker-cache.js';

/** Of a run, what these sessions need. */
const runFile = JSON.stringify({ spec: { operation: { exchange: 'off' } } });
const silent = { info: () => {}, warn: () => {}, error: () => {} };

/** Prepares nothing but what a test needs. */
class EmptyCache extends WorkerCache {
  readonly run = {
    ready: {},
    failure: null,
    statistics: () => ({}),
    explain: (error: unknown) => error,
  } as unknown as ComputingRun;

  override async prepare() {
    return { run: this.run, kept: true };
  }
}

/** A coordinator that says what the test tells it to. */
let server: Server;
let address: string;
let joined: (stream: WorkerStream) => void;
let connections: Connection[];
let workerCache: EmptyCache;

beforeEach(async () => {
  connections = [];
  const cache = { directory: 'unused', limitBytes: 0 };
  const { signal } = new AbortController();
  const prepareRun = () => Promise.reject(new Error('it is prepared'));
  workerCache = new EmptyCache({ dataset: {} as Dataset, cache, log: silent, signal, prepareRun });
  server = new Server();
  server.addService(coordinatorService({ sentBytes: 0, receivedBytes: 0 }), {
    Join: (stream: WorkerStream) => {
      stream.on('error', () => {});
      stream.on('end', () => stream.end());
      joined(stream);
    },
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  address = `127.0.0.1:${port}`;
});
afterEach(() => {
  for (const connection of connections) connection.close();
  server.forceShutdown();
});

/** Opens a session; `stream` is the coordinator's end of it, after the hello. */
async function open(signal = new AbortController().signal) {
  const arrived = new Promise<WorkerStream>((resolve) => {
    joined = resolve;
  });
  const connection = await dial(diallingOf(address, null), 5_000, signal);
  connections.push(connection);
  const admissions: boolean[] = [];
  const ending = new Session(
    {
      hello: { workerName: 'w', session: 1 },
      workerCache,
      shared: null,
      exchange: { listen: null, advertise: null, tls: null, isProxied: false, localAddress: '127.0.0.1' },
      log: new StreamedLog(silent),
      signal,
      onAdmitted: (kept) => admissions.push(kept),
    },
    connection.stream,
  ).run();
  const stream = await arrived;
  const received: WorkerMessage__Output[] = [];
  stream.on('data', (message: WorkerMessage__Output) => received.push(message));
  await once(stream, 'data');
  const say = (message: CoordinatorMessage) => stream.write(message);
  const welcome = async (term: number, run = 'birds') => {
    say({ term, welcome: { run, runFile, heartbeatMs: 50 } });
    await once(stream, 'data');
  };
  return { ending, stream, received, admissions, say, welcome };
}

test('the run is over', async () => {
  const { ending, say, welcome } = await open();
  await welcome(1);
  say({ term: 1, finish: { reason: 'it finished', resumable: false } });
  expect(await ending).toEqual<SessionEnding>({ how: 'over' });
});

test('the run has failed for good', async () => {
  const { ending, say, welcome } = await open();
  await welcome(1);
  say({ term: 1, finish: { reason: 'an image is missing', failed: true } });
  expect(await ending).toEqual<SessionEnding>({ how: 'failed', reason: 'an image is missing' });
});

test('a run that is over before this worker was welcome is over, unless an older leader says so', async () => {
  const { ending, say } = await open();
  say({ term: 2, finish: { reason: 'it has finished' } });
  expect(await ending).toEqual<SessionEnding>({ how: 'over' });
  workerCache.follow('birds', 3);
  const again = await open();
  again.say({ term: 2, finish: { reason: 'it has finished' } });
  expect(await again.ending).toMatchObject({ how: 'lost', reason: expect.stringContaining('old leader') });
});

test('the coordinator stops, and may come back', async () => {
  const { ending, say, welcome } = await open();
  await welcome(1);
  say({ term: 1, finish: { reason: 'it was interrupted', resumable: true } });
  expect(await ending).toEqual({ how: 'paused', reason: 'it was interrupted', welcomed: true });
});

test('a worker that is told to stop says so', async () => {
  const controller = new AbortController();
  const { ending, received, welcome } = await open(controller.signal);
  await welcome(1);
  controller.abort();
  expect(await ending).toEqual({ how: 'left' });
  expect(received.find(({ leaving }) => leaving)).toMatchObject({
    leaving: { reason: 'it was told to stop' },
  });
});

test('a coordinator that falls silent is gone, one that says that it lives is not', async () => {
  const { ending, say, welcome } = await open();
  await welcome(1);
  const alive = setInterval(() => say({ term: 1, alive: {} }), 50);
  await expect(
    Promise.race([ending, new Promise((resolve) => setTimeout(resolve, 600, 'there'))]),
  ).resolves.toBe('there');
  clearInterval(alive);
  expect(await ending).toEqual({ how: 'lost', reason: 'it sent nothing for 0 s', welcomed: true });
});

test('a stream that ends or breaks is a lost coordinator', async () => {
  const first = await open();
  await first.welcome(1);
  first.stream.end();
  expect(await first.ending).toEqual({ how: 'lost', reason: 'it ended the stream', welcomed: true });
  const second = await open();
  server.forceShutdown();
  expect(await second.ending).toMatchObject({ how: 'lost', welcomed: false });
});

test('work that comes before the welcome ends the worker, and the coordinator hears why', async () => {
  const { ending, received, say } = await open();
  say({ term: 1, gradientWork: {} });
  await expect(ending).rejects.toMatchObject({ code: 'WORKER_BAD_WORK', exitCode: 76 });
  expect(received.find(({ failure }) => failure)).toMatchObject({
    failure: { code: 'WORKER_BAD_WORK', message: expect.stringContaining('before it admitted this worker') },
  });
});

test('an exchange in which this worker takes no part ends it', async () => {
  const { ending, say, welcome } = await open();
  await welcome(1);
  say({ term: 1, exchange: { peers: { peers: [] } } });
  await expect(ending).rejects.toMatchObject({
    code: 'WORKER_BAD_WORK',
    message: 'the coordinator asks for an exchange of gradients, but this worker takes no part in one',
  });
});

test('a failure that nobody foresaw is told to the coordinator too', async () => {
  workerCache.prepare = () => Promise.reject(new RangeError('out of luck'));
  const { ending, received, say } = await open();
  say({ term: 1, welcome: { run: 'birds', runFile, heartbeatMs: 50 } });
  await expect(ending).rejects.toThrow('out of luck');
  expect(received.find(({ failure }) => failure)).toMatchObject({
    failure: { code: 'WORKER_UNEXPECTED', message: 'RangeError: out of luck', exitCode: 1 },
  });
});

describe('refusals', () => {
  test('before admission end the worker', async () => {
    const { ending, say } = await open();
    say({ term: 1, refusal: { code: 'PROTOCOL_VERSION', message: 'too old' } });
    await expect(ending).rejects.toMatchObject({
      code: 'WORKER_REFUSED',
      message: 'the coordinator refused this worker: too old',
    });
  });

  test('of an answer end the session', async () => {
    const { ending, say, welcome, admissions } = await open();
    await welcome(1);
    say({ term: 1, admitted: {} });
    say({ term: 1, refusal: { code: 'NON_FINITE', message: 'it holds NaN' } });
    expect(await ending).toEqual({ how: 'rejected', reason: 'it holds NaN', welcomed: true });
    expect(admissions).toEqual([true]);
  });
});

describe('of an old leader', () => {
  const enterTerm = async (term: number, run?: string) => {
    const session = await open();
    await session.welcome(term, run);
    session.say({ term, finish: { reason: 'x', resumable: true } });
    await session.ending;
  };

  test('a welcome is not followed, in any later session', async () => {
    await enterTerm(5);
    const { ending, say } = await open();
    say({ term: 4, welcome: { run: 'birds', runFile, heartbeatMs: 50 } });
    expect(await ending).toEqual({
      how: 'lost',
      reason:
        'it leads run birds under term 4, but this worker has already followed term 5: it is an old leader, or the run was started again under the same name, and then this worker must be restarted too',
      welcomed: false,
    });
  });

  test('a refusal does not end the worker', async () => {
    await enterTerm(5);
    const { ending, say } = await open();
    say({ term: 4, refusal: { code: 'DATASET_FINGERPRINT', message: 'other' } });
    expect(await ending).toMatchObject({ how: 'lost', welcomed: false });
  });

  test('messages inside a session are ignored', async () => {
    const { ending, say, welcome } = await open();
    await welcome(5);
    say({ term: 4, finish: { reason: 'an old leader says so', resumable: false } });
    say({ term: 5, finish: { reason: 'the leader says so', resumable: true } });
    expect(await ending).toMatchObject({ how: 'paused', reason: 'the leader says so' });
  });

  test('terms of another run are its own', async () => {
    await enterTerm(5);
    await enterTerm(1, 'aircraft');
    expect(workerCache.term).toBe(1);
  });
});

describe('work', () => {
  /** Answers encode batches when the test says so. */
  function encoding(isConcurrent: boolean) {
    const begun: number[] = [];
    const finish: (() => void)[] = [];
    Object.assign(workerCache.run, {
      isConcurrent,
      weightBytes: 4,
      setWeights: () => {},
      prefetchEncode: () => {},
      encode: ({ batch }: { batch: number }) => {
        begun.push(batch);
        return new Promise((resolve) =>
          finish.push(() => resolve({ bytes: Uint8Array.of(batch), device: 'gpu-1' })),
        );
      },
    });
    return { begun, finish };
  }

  async function openWithWork() {
    const session = await open();
    await session.welcome(1);
    session.say({ term: 1, weights: { version: 1, transfer: { id: 1, byteLength: 4 } } });
    session.say({ term: 1, chunk: { transfer: 1, offset: 0, data: Buffer.alloc(4) } });
    for (const batch of [0, 1])
      session.say({ term: 1, encodeWork: { request: 1, batch, weightsVersion: 1 } });
    return session;
  }

  test.each([
    { isConcurrent: false, together: [0] },
    { isConcurrent: true, together: [0, 1] },
  ])('begins together where the run takes it: $isConcurrent', async ({ isConcurrent, together }) => {
    const { begun, finish } = encoding(isConcurrent);
    const { ending, say, received } = await openWithWork();
    await expect.poll(() => begun).toEqual(together);
    finish[0]!();
    await expect.poll(() => begun).toEqual([0, 1]);
    finish[1]!();
    const batches = () => received.flatMap(({ encodeResult }) => (encodeResult ? [encodeResult.batch] : []));
    await expect.poll(batches).toEqual([0, 1]);
    say({ term: 1, finish: {} });
    await ending;
  });

  test('ends with the reason of a run that cannot compute any more, also in the next session', async () => {
    const error = new Error('no device is left');
    Object.assign(workerCache.run, { failure: Promise.resolve(error) });
    for (let session = 0; session < 2; session++) {
      const { ending, welcome, received } = await open();
      const ended = expect(ending).rejects.toThrow('no device is left');
      await welcome(1);
      await ended;
      expect(received.find(({ failure }) => failure)?.failure?.message).toContain('no device is left');
    }
  });
});

describe('dialling', () => {
  test('a port where nobody listens is refused at once', async () => {
    server.forceShutdown();
    const signal = new AbortController().signal;
    await expect(dial(diallingOf('127.0.0.1:1', null), 5_000, signal)).rejects.toMatchObject({
      code: 'TRANSPORT_UNREACHABLE',
    });
  });

  test('a port that does not answer is given up', async () => {
    const mute = createServer().listen(0, '127.0.0.1');
    await once(mute, 'listening');
    const { port } = mute.address() as { port: number };
    const signal = new AbortController().signal;
    await expect(dial(diallingOf(`127.0.0.1:${port}`, null), 300, signal)).rejects.toThrow(
      `no coordinator answered at 127.0.0.1:${port}: no data came within 300 ms`,
    );
    mute.close();
  });

  test('can be stopped', async () => {
    const controller = new AbortController();
    const attempt = dial(diallingOf('127.0.0.1:1', null), 5_000, controller.signal);
    controller.abort(new Error('enough'));
    await expect(attempt).rejects.toThrow('enough');
  });
});
