import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { interruptProcess } from '../../src/console/interrupt.js';
import type { WorkerStream } from '../../src/coordinator/dispatch/member.js';
import { parseTrainingRun } from '../../src/run/read.js';
import { coordinatorService } from '../../src/transport/service.js';
import { work as workAsCommand } from '../../src/worker/command.js';
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
    connectTimeoutSeconds: seconds.connect,
    reconnectTimeoutSeconds: seconds.reconnect,
    data: join(folder, 'data'),
    cache: { directory: join(folder, 'cache'), limitBytes: 1 << 30 },
    tls: null,
    joinToken: null,
    shared: null,
    name: 'w',
    log,
    signal: new AbortController().signal,
  });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fcaenet-worker-'));
  await smallDataset(join(folder, 'data'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('no coordinator is there at first: it says why at once, and again when it gives up', async () => {
  const address = `127.0.0.1:${await freePort()}`;
  await expect(work(address, { connect: 1, reconnect: 1 })).rejects.toEqual(
    failure(
      'TRANSPORT_UNREACHABLE',
      `no coordinator answered at ${address} within 1 s: nobody listens there`,
    ),
  );
  expect(warnings).toEqual([
    ['no coordinator answered; trying again', { address, reason: 'nobody listens there' }],
  ]);
});

test('the coordinator goes away and is not looked for', async () => {
  const server = new Server();
  const run = parseTrainingRun(JSON.stringify(smallRunFile), 'small');
  server.addService(coordinatorService({ sentBytes: 0, receivedBytes: 0 }), {
    Join: (stream: WorkerStream) => {
      stream.on('error', () => {});
      stream.once('data', () => {
        const welcome = { run: 'small', runFile: JSON.stringify(run), heartbeatMs: 2_000 };
        stream.write({ term: 1, welcome });
        stream.end();
      });
    },
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  await expect(work(`127.0.0.1:${port}`, { connect: 5, reconnect: 0 })).rejects.toEqual(
    failure('WORKER_LOST_COORDINATOR', `the coordinator at 127.0.0.1:${port} is gone (it ended the stream)`),
  );
  server.forceShutdown();
});

test.each([
  [true, { code: 'WORKER_LEFT', exitCode: 75 }],
  [false, 'it ended well'],
])('told to leave before the run is over, with expectRestart %s', async (expectRestart, expected) => {
  // The channel of this process is the test runner's.
  const disconnect = vi.spyOn(process, 'disconnect').mockReturnValue(undefined);
  const ended = workAsCommand({
    connect: `127.0.0.1:${await freePort()}`,
    connectTimeoutSeconds: 60,
    reconnectTimeoutSeconds: 60,
    data: join(folder, 'data'),
    cache: { directory: join(folder, 'cache'), limitBytes: 1 << 30 },
    tls: undefined,
    joinTokenFile: undefined,
    name: 'w',
    expectRestart,
  });
  interruptProcess('SIGTERM');
  const ending = await ended.then(
    () => 'it ended well',
    ({ code, exitCode }) => ({ code, exitCode }),
  );
  disconnect.mockRestore();
  expect(ending).toEqual(expected);
});
