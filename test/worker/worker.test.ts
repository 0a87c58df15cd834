import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { interruptProcess } from '../../src/console/interrupt.js';
import { handshakeLimits, WorkerListener } from '../../src/coordinator/admission/worker-listener.js';
import type { WorkerStream } from '../../src/coordinator/dispatch/member.js';
import { parseTrainingRun } from '../../src/run/read.js';
import { makeCertificates, tlsFilesIn } from '../../src/transport/certificates.js';
import { coordinatorService } from '../../src/transport/service.js';
import { readTlsFiles, type TlsMaterial } from '../../src/transport/tls-files.js';
import { work as workAsCommand } from '../../src/worker/command.js';
import { WorkerRun } from '../../src/worker/run.js';
import { runWorker } from '../../src/worker/worker.js';
import { failure } from '../kit/failure.js';
import { freePort } from '../kit/free-port.js';
import { smallDataset, smallRunFile } from '../kit/small-run.js';

let folder: string;
const warnings: unknown[][] = [];
const log = { info: () => {}, warn: (...line: unknown[]) => void warnings.push(line), error: () => {} };
const work = (connect: string, seconds: { connect: number; reconnect: number }) =>
  runWorker({
    connect,
    proxy: null,
    connectTimeoutSeconds: seconds.connect,
    reconnectTimeoutSeconds: seconds.reconnect,
    data: join(folder, 'data'),
    cache: { directory: join(folder, 'cache'), limitBytes: 1 << 30 },
    tls: null,
    joinToken: null,
    shared: null,
    peering: { listen: null, advertise: null },
    name: 'w',
    prepareRun: WorkerRun.prepare,
    log,
    signal: new AbortController().signal,
  });

let tls: TlsMaterial;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fcaenet-worker-'));
  const directory = join(folder, 'certs');
  await makeCertificates({ directory, names: [], days: 1, nowMs: Date.now() });
  tls = readTlsFiles(tlsFilesIn(directory, 'coordinator'));
  await smallDataset(join(folder, 'data'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('no coordinator is there at first: it says why at once, and again when it gives up', async () => {
  const address = `127.0.0.1:${await freePort()}`;
  await expect(work(address, { connect: 1, reconnect: 1 })).rejects.toEqual(
    failure(
      'TRANSPORT_UNREACHABLE',
      `no coordinator answered at ${address} within 1 s: no process listens on that port`,
    ),
  );
  expect(warnings).toEqual([
    ['no coordinator answered; retrying', { address, reason: 'no process listens on that port' }],
  ]);
});

test('another reason is said as soon as it is there', async () => {
  warnings.length = 0;
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  const ended = work(address, { connect: 6, reconnect: 1 });
  await vi.waitFor(() => expect(warnings).toHaveLength(1), 10_000);
  const listener = new WorkerListener({
    tls,
    limits: handshakeLimits,
    clock: systemClock,
    accept: () => {},
    onRefused: () => {},
  });
  await listener.listen('127.0.0.1', port);
  const reason = 'it uses TLS: add --tls-certificate, --tls-key and --tls-authority';
  await expect(ended).rejects.toEqual(
    failure('TRANSPORT_UNREACHABLE', `no coordinator answered at ${address} within 6 s: ${reason}`),
  );
  expect(warnings).toEqual([
    ['no coordinator answered; retrying', { address, reason: 'no process listens on that port' }],
    ['no coordinator answered; retrying', { address, reason }],
  ]);
  listener.close();
});

test('the coordinator goes away and is not looked for', async () => {
  const { server, address } = await leaving();
  await expect(work(address, { connect: 5, reconnect: 0 })).rejects.toEqual(
    failure('WORKER_LOST_COORDINATOR', `the coordinator at ${address} is gone (it ended the stream)`),
  );
  server.forceShutdown();
});

test('the coordinator goes away, and why it is not found again is said at once and at the end', async () => {
  warnings.length = 0;
  const { server, address } = await leaving(() => setImmediate(() => server.forceShutdown()));
  await expect(work(address, { connect: 5, reconnect: 2 })).rejects.toEqual(
    failure(
      'WORKER_LOST_COORDINATOR',
      /^the coordinator at .* is gone \(.*\) and did not come back within 2 s: no process listens on that port$/,
    ),
  );
  expect(warnings.slice(-2)).toEqual([
    ['the coordinator is gone; reconnecting', { address, reason: expect.any(String) }],
    ['no coordinator answered; retrying', { address, reason: 'no process listens on that port' }],
  ]);
});

test('the coordinator says that the run has failed for good', async () => {
  const { server, address } = await answering((stream) => {
    stream.write({ term: 1, finish: { reason: 'an image is missing', failed: true } });
  });
  await expect(work(address, { connect: 60, reconnect: 60 })).rejects.toEqual(
    failure('WORKER_RUN_FAILED', 'the run has failed permanently: an image is missing'),
  );
  server.forceShutdown();
});

/** A coordinator that welcomes a worker and ends its stream. */
async function leaving(then = () => {}): Promise<{ server: Server; address: string }> {
  const run = parseTrainingRun(JSON.stringify(smallRunFile), 'small');
  return answering((stream) => {
    const welcome = { run: 'small', runFile: JSON.stringify(run), heartbeatMs: 2_000 };
    stream.write({ term: 1, welcome });
    stream.end();
    then();
  });
}

/** A coordinator that answers each worker's hello in the test's way. */
async function answering(
  answer: (stream: WorkerStream) => void,
): Promise<{ server: Server; address: string }> {
  const server = new Server();
  server.addService(coordinatorService({ sentBytes: 0, receivedBytes: 0 }), {
    Join: (stream: WorkerStream) => {
      stream.on('error', () => {});
      stream.once('data', () => answer(stream));
    },
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  return { server, address: `127.0.0.1:${port}` };
}

test.each([
  [true, { code: 'WORKER_LEFT', exitCode: 75 }],
  [false, 'it ended well'],
])('told to leave before the run is over, with expectRestart %s', async (expectRestart, expected) => {
  // The channel of this process is the test runner's.
  const disconnect = vi.spyOn(process, 'disconnect').mockReturnValue(undefined);
  const ended = workAsCommand({
    connect: `127.0.0.1:${await freePort()}`,
    proxy: null,
    connectTimeoutSeconds: 60,
    reconnectTimeoutSeconds: 60,
    data: join(folder, 'data'),
    cache: { directory: join(folder, 'cache'), limitBytes: 1 << 30 },
    tls: undefined,
    joinTokenFile: undefined,
    name: 'w',
    expectRestart,
    hidesGpus: false,
    peering: { listen: null, advertise: null },
  });
  interruptProcess('SIGTERM');
  const ending = await ended.then(
    () => 'it ended well',
    ({ code, exitCode }) => ({ code, exitCode }),
  );
  disconnect.mockRestore();
  expect(ending).toEqual(expected);
});
