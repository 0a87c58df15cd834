import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer as createHttp2Server } from 'node:http2';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { handshakeLimits, WorkerListener } from '../../src/coordinator/admission/worker-listener.js';
import { makeCertificates, tlsFilesIn } from '../../src/transport/certificates.js';
import { readTlsFiles, type TlsMaterial } from '../../src/transport/tls-files.js';
import { whyUnreachable } from '../../src/worker/diagnosis.js';
import { freePort } from '../kit/free-port.js';

const material: Record<string, TlsMaterial> = {};
let folder: string;
let close: (() => void)[] = [];
let refusals: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fcaenet-diagnosis-'));
  for (const authority of ['ours', 'elsewhere']) {
    const directory = join(folder, authority);
    await makeCertificates({ directory, names: [`${authority}.example`], days: 1, nowMs: Date.now() });
    for (const holder of ['coordinator', 'worker'] as const) {
      material[`${authority} ${holder}`] = readTlsFiles(tlsFilesIn(directory, holder));
    }
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));
afterEach(() => {
  for (const each of close) each();
  close = [];
  refusals = [];
});

/** The first frame of an HTTP/2 server: settings without any. */
const emptySettings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

/** A coordinator's port, as far as TLS and the first bytes of HTTP/2. */
async function coordinatorPort(tls: string | null, host = '127.0.0.1'): Promise<string> {
  const open = new WorkerListener({
    tls: tls === null ? null : material[tls]!,
    limits: handshakeLimits,
    clock: systemClock,
    accept: (socket) => {
      socket.write(emptySettings);
      socket.resume();
    },
    onRefused: (reason) => void refusals.push(reason),
  });
  close.push(() => open.close());
  return `${host}:${await open.listen(host, 0)}`;
}

async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  close.push(() => server.close());
  return `127.0.0.1:${(server.address() as { port: number }).port}`;
}

const ours = () => material['ours worker']!;

test('nothing is wrong', async () => {
  expect(await whyUnreachable(await coordinatorPort('ours coordinator'), ours())).toBeNull();
  // The look has shown that it accepts the certificate.
  await expect.poll(() => refusals).toEqual(['closed_early']);
  expect(await whyUnreachable(await coordinatorPort(null), null)).toBeNull();
});

test('nobody listens', async () => {
  const address = `127.0.0.1:${await freePort()}`;
  expect(await whyUnreachable(address, null)).toBe('no process listens on that port');
  expect(await whyUnreachable(address, ours())).toBe('no process listens on that port');
});

test('the coordinator is of another authority', async () => {
  expect(await whyUnreachable(await coordinatorPort('elsewhere coordinator'), ours())).toBe(
    "the coordinator's certificate was not issued by the authority in --tls-authority",
  );
});

test('the coordinator is certified for another host', async () => {
  // Every certificate is also for 127.0.0.1, but not for the rest of that network.
  expect(await whyUnreachable(await coordinatorPort('ours coordinator', '127.0.0.2'), ours())).toMatch(
    /^the coordinator's certificate is for another host \(.*127\.0\.0\.2.*\)$/,
  );
});

test('the worker is of another authority', async () => {
  const { authority } = ours();
  const stranger = { ...material['elsewhere worker']!, authority };
  expect(await whyUnreachable(await coordinatorPort('ours coordinator'), stranger)).toBe(
    "it closes the connection after it has received this worker's certificate; its log says why",
  );
});

test('a server says that it does not accept the certificate', async () => {
  const { certificate, key, authority } = material['ours coordinator']!;
  const server = createTlsServer(
    {
      cert: certificate,
      key,
      ca: authority,
      requestCert: true,
      rejectUnauthorized: true,
      ALPNProtocols: ['h2'],
    },
    (socket) => socket.on('error', () => {}),
  );
  server.on('tlsClientError', () => {});
  const stranger = { ...material['elsewhere worker']!, authority: ours().authority };
  expect(await whyUnreachable(await listening(server), stranger)).toMatch(
    /^(the coordinator does not accept this worker's certificate|it closes the connection after)/,
  );
});

test('one side speaks TLS and the other does not', async () => {
  expect(await whyUnreachable(await coordinatorPort('ours coordinator'), null)).toBe(
    'it uses TLS: add --tls-certificate, --tls-key and --tls-authority',
  );
  expect(await whyUnreachable(await coordinatorPort(null), ours())).toMatch(
    /instead of answering with TLS$|does not use TLS/,
  );
  const http2 = createHttp2Server() as unknown as Server;
  expect(await whyUnreachable(await listening(http2), ours())).toBe(
    'it does not use TLS, but this worker has certificates',
  );
});

test('a server that closes at once', async () => {
  expect(await whyUnreachable(await listening(createServer((socket) => socket.destroy())), null)).toBe(
    'it closes new connections immediately',
  );
});

test('a server that says nothing, and those that are no coordinator', async () => {
  const mute = createServer((socket) => close.push(() => socket.destroy()));
  const notOne = 'something listens there, but within 3 s it did not answer as a coordinator does';
  const silent = createServer((socket) => {
    close.push(() => socket.destroy());
    socket.resume();
  });
  const talker = createServer((socket) => {
    close.push(() => socket.destroy());
    socket.on('error', () => {});
    socket.write('220 mail.example ESMTP ready\r\n');
  });
  const { certificate, key } = material['ours coordinator']!;
  const secure = createTlsServer({ cert: certificate, key, ALPNProtocols: ['h2'] }, (socket) => {
    close.push(() => socket.destroy());
    socket.resume();
  });
  // Each look takes three seconds, so they are taken at the same time.
  const looks = [
    { server: mute, tls: ours(), reason: 'no data came within 3 s' },
    { server: silent, tls: null, reason: notOne },
    { server: talker, tls: null, reason: notOne },
    { server: secure, tls: ours(), reason: notOne },
  ].map(async ({ server, tls, reason }) => [await whyUnreachable(await listening(server), tls), reason]);
  for (const [found, reason] of await Promise.all(looks)) expect(found).toBe(reason);
});

test('a real HTTP/2 server is taken for a coordinator', async () => {
  const http2 = createHttp2Server() as unknown as Server;
  expect(await whyUnreachable(await listening(http2), null)).toBeNull();
});
