import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkServerIdentity, connect as connectTls } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Protection } from '../../src/coordinator/admission/protection.js';
import { CoordinatorServer } from '../../src/coordinator/admission/server.js';
import { handshakeLimits } from '../../src/coordinator/admission/worker-listener.js';
import { WorkerPool } from '../../src/coordinator/dispatch/pool.js';
import { readTrainingRun } from '../../src/run/read.js';
import { makeCertificates, tlsFilesIn } from '../../src/transport/certificates.js';
import { diallingOf } from '../../src/transport/credentials.js';
import { makeJoinToken } from '../../src/transport/join-token.js';
import { channelOptions, protocolVersion, TrainingClientType } from '../../src/transport/service.js';
import { readTlsFiles, type TlsMaterial } from '../../src/transport/tls-files.js';
import { admissionOf } from '../kit/admission.js';
import { closed, grpcFrame, Intruder, sendRaw } from '../kit/intruder.js';
import { fingerprint } from '../kit/scripted-worker.js';

const run = readTrainingRun('examples/quick.yaml');
const silent = { info: () => {}, warn: () => {}, error: () => {} };
const token = makeJoinToken();
const hello = { protocolVersion, workerName: 'w', instanceId: 'i', datasetFingerprint: fingerprint };
const folder = mkdtempSync(join(tmpdir(), 'fcaenet-intruders-'));
const limits = { ...handshakeLimits, helloMs: 300, readyMs: 400, lingerMs: 50 };

let coordinator: TlsMaterial;
let worker: TlsMaterial;
let stranger: TlsMaterial;
let expired: TlsMaterial;
let server: CoordinatorServer | undefined;
let pool: WorkerPool;

beforeAll(async () => {
  const dayMs = 86_400_000;
  const nowMs = Date.now();
  const make = async (name: string, madeAtMs: number) => {
    const directory = join(folder, name);
    await makeCertificates({ directory, names: ['coordinator.example'], days: 1, nowMs: madeAtMs });
    return directory;
  };
  const own = await make('own', nowMs);
  coordinator = readTlsFiles(tlsFilesIn(own, 'coordinator'));
  worker = readTlsFiles(tlsFilesIn(own, 'worker'));
  stranger = readTlsFiles(tlsFilesIn(await make('stranger', nowMs), 'worker'));
  const old = nowMs - 3 * dayMs;
  expired = readTlsFiles(tlsFilesIn(await make('expired', old), 'worker'), old);
});
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(async () => {
  await server?.close({ reason: 'the test is over' });
  server = undefined;
});

async function listen(protection: Partial<Protection> = {}, changed: Partial<typeof limits> = {}) {
  pool = new WorkerPool();
  const admission = admissionOf(run);
  const whole = { tls: null, joinToken: null, ...protection };
  server = new CoordinatorServer({
    admission,
    pool,
    log: silent,
    onIdentity: () => {},
    protection: whole,
    limits: { ...limits, ...changed },
  });
  return server.listen('127.0.0.1:0');
}

/** Waits until so many connections were refused for this reason, and for no other. */
async function refused(reason: string, times = 1): Promise<void> {
  await expect.poll(() => server!.refusals.totals(), { timeout: 3_000 }).toEqual({ [reason]: times });
}

/** What a worker with these credentials and this hello is told. */
async function knock(address: string, tls: TlsMaterial | null, changed: object = {}): Promise<string> {
  const { credentials, options } = diallingOf(address, tls);
  const own = { ...channelOptions, ...options, 'grpc.use_local_subchannel_pool': 1 };
  const client = new TrainingClientType(address, credentials, own);
  const stream = client.join();
  try {
    return await new Promise((resolve) => {
      stream.on('error', (error) => resolve(`error: ${error.message}`));
      stream.on('data', (message) => resolve(message.refusal?.code ?? message.body));
      stream.write({ term: 0, hello: { ...hello, ...changed } });
    });
  } finally {
    stream.cancel();
    client.close();
  }
}

test('a worker with a certificate of the authority and the token is welcome, by address and by name', async () => {
  const address = await listen({ tls: coordinator, joinToken: token }, { helloMs: 60_000 });
  expect(await knock(address, worker, { joinToken: token })).toBe('welcome');
  // Whose certificate ends when is known from the connection.
  expect(pool.all().map((member) => member.certificateExpiryMs)).toEqual([worker.expiry.atMs]);
  const byName = address.replace('127.0.0.1', 'localhost');
  expect(await knock(byName, worker, { joinToken: token, instanceId: 'j' })).toBe('welcome');
  expect(server!.refusals.totals()).toEqual({});
});

test('a worker does not talk to a coordinator whose certificate names another host', async () => {
  const address = await listen({ tls: worker, joinToken: null });
  expect(await knock(address, worker)).toMatch(/^error: /);
});

test.each([
  ['of another authority', () => stranger, 'untrusted_certificate'],
  ['that has expired', () => expired, 'expired_certificate'],
] as const)('a certificate %s is refused and counted', async (_, certificate, reason) => {
  const address = await listen({ tls: coordinator });
  const [host, port] = address.split(':');
  const { certificate: cert, key } = certificate();
  const socket = connectTls({ host, port: Number(port), cert, key, ca: coordinator.authority });
  await closed(socket);
  await refused(reason);
});

test.each([
  ['of another authority', '127.0.0.1', () => ({ ...worker, authority: stranger.authority })],
  ['for another host', '127.0.0.2', () => worker],
])("a coordinator's certificate %s is not accepted, and that is counted, too", async (_, host, material) => {
  const address = await listen({ tls: coordinator }, { helloMs: 60_000 });
  // In both versions: what this side sees of it differs.
  for (const [times, version] of [
    [1, 'TLSv1.3'],
    [2, 'TLSv1.2'],
  ] as const) {
    const { certificate: cert, key, authority: ca } = material();
    const port = Number(address.split(':')[1]);
    // The certificate is for 127.0.0.1; a worker dials whatever leads there.
    const way = { host: '127.0.0.1', port, checkServerIdentity: () => checkServerIdentity(host, own) };
    const own = new X509Certificate(coordinator.certificate).toLegacyObject();
    await closed(connectTls({ ...way, cert, key, ca, maxVersion: version, ALPNProtocols: ['h2'] }));
    await refused('untrusted_certificate', times);
  }
});

test('who goes away in the middle of its first TLS message has seen no certificate', async () => {
  const address = await listen({ tls: coordinator }, { helloMs: 60_000 });
  const [host, port] = address.split(':');
  const socket = connectTcp(Number(port), host);
  await once(socket, 'connect');
  // The head of a handshake record of 512 bytes, and the first of them.
  socket.end(Buffer.from('1603010200010001fc0303', 'hex'));
  await closed(socket);
  await refused('closed_early');
});

test('no certificate is refused and counted', async () => {
  const address = await listen({ tls: coordinator });
  const [host, port] = address.split(':');
  const socket = connectTls({ host, port: Number(port), ca: coordinator.authority, ALPNProtocols: ['h2'] });
  await closed(socket);
  await refused('no_certificate');
});

test('TLS 1.1 and plain text are refused where TLS is on', async () => {
  const address = await listen({ tls: coordinator });
  await sendRaw(address, Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'));
  await refused('tls_failed');
  const [host, port] = address.split(':');
  const { certificate: cert, key, authority: ca } = worker;
  const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
  const socket = connectTls({ host, port: Number(port), cert, key, ca, ...old });
  await closed(socket);
  await refused('tls_failed', 2);
});

test.each([
  [
    'missing',
    {},
    'JOIN_TOKEN_MISSING',
    'the worker has no join token, but the run requires one (--join-token-file or FCAENET_JOIN_TOKEN)',
  ],
  [
    'wrong',
    { joinToken: makeJoinToken() },
    'JOIN_TOKEN_WRONG',
    "the worker's join token is wrong: it must be the run's",
  ],
])('a %s token is refused and counted', async (_, changed, code, sentence) => {
  const address = await listen({ joinToken: token });
  const told: string[] = [];
  pool.on('workerRefused', (_worker, _code, each) => told.push(each));
  expect(await knock(address, null, changed)).toBe(code);
  await refused(code.toLowerCase());
  expect(told).toEqual([sentence]);
  expect(pool.all()).toEqual([]);
});

test('beyond loopback there must be certificates and a token', async () => {
  const refusal = async (protection: Protection) => {
    const admission = admissionOf(run);
    const open = new CoordinatorServer({
      admission,
      pool: new WorkerPool(),
      log: silent,
      onIdentity: () => {},
      protection,
    });
    return open.listen('0.0.0.0:0').then(
      () => open.close({ reason: 'listened' }).then(() => 'listened'),
      (error) => `${error.code}: ${error.message.split(', so ')[0]}`,
    );
  };
  expect(await refusal({ tls: null, joinToken: token })).toBe(
    'COORDINATOR_PLAIN_TEXT_REFUSED: spec.operation.listen is 0.0.0.0:0, but spec.operation.tls names no certificates',
  );
  expect(await refusal({ tls: coordinator, joinToken: null })).toMatch(
    'COORDINATOR_JOIN_TOKEN_MISSING: spec.operation.listen is 0.0.0.0:0, but there is no join token (',
  );
  expect(await refusal({ tls: coordinator, joinToken: token })).toBe('listened');
});

test('a message of 1 GiB is refused by its announcement, before there is room for it', async () => {
  const address = await listen();
  const before = process.memoryUsage().rss;
  const intruder = new Intruder(address);
  expect(await intruder.join([grpcFrame(Buffer.alloc(100), 2 ** 30)])).toEqual({
    status: 8,
    message: `Received message larger than max (${2 ** 30} vs ${4 << 20})`,
  });
  await refused('broken_call');
  await intruder.closed;
  expect(process.memoryUsage().rss - before).toBeLessThan(200 << 20);
});

test('a small message that unpacks to a large one is refused', async () => {
  const address = await listen({}, { helloMs: 60_000, readyMs: 60_000 });
  const intruder = new Intruder(address);
  const bomb = gzipSync(Buffer.alloc(160 << 20), { level: 9 });
  const answer = await intruder.join([grpcFrame(bomb, bomb.byteLength, 1)], { 'grpc-encoding': 'gzip' });
  expect(answer?.status).toBe(8);
  await refused('broken_call');
});

test('one connection has one stream; its first goes on', async () => {
  const address = await listen({}, { helloMs: 60_000, readyMs: 60_000 });
  const intruder = new Intruder(address);
  const open = Array.from({ length: 4 }, () => intruder.join([]));
  await refused('too_many_streams', 3);
  intruder.leave();
  await Promise.all(open);
});

test.each([
  ['silence', async (address: string) => sendRaw(address, Buffer.alloc(0)), 'no_hello'],
  ['half a preface', async (address: string) => sendRaw(address, Buffer.from('PRI * HTTP')), 'no_hello'],
  ['a call without a hello', async (address: string) => void new Intruder(address).join([]), 'no_hello'],
  [
    'HTTP/1',
    async (address: string) => sendRaw(address, Buffer.from('GET / HTTP/1.1\r\n\r\n\r\n')),
    'not_http2',
  ],
])('%s does not hold a connection', async (_, intrude, reason) => {
  const address = await listen();
  await intrude(address);
  await refused(reason);
});

test('a worker that is welcomed but never ready does not hold its place', async () => {
  const address = await listen();
  const { credentials } = diallingOf(address, null);
  const client = new TrainingClientType(address, credentials, channelOptions);
  const stream = client.join();
  stream.on('error', () => {});
  stream.write({ term: 0, hello });
  stream.resume();
  await expect.poll(() => pool.all().length).toBe(1);
  await refused('not_ready');
  await expect.poll(() => pool.all().length).toBe(0);
  client.close();
});

test('connections that have not said hello are bounded, for one address and altogether', async () => {
  const address = await listen({}, { helloMs: 60_000, mostHandshakesPerAddress: 3, mostHandshakes: 3 });
  const [host, port] = address.split(':');
  const sockets = Array.from({ length: 5 }, () => connectTcp(Number(port), host));
  for (const socket of sockets) socket.on('error', () => {});
  await refused('too_many_handshakes', 2);
  for (const socket of sockets) socket.end('PRI');
  await expect.poll(() => server!.refusals.totals().closed_early).toBe(3);
});

test.each([
  ['', () => null],
  [' where TLS is on', () => coordinator],
])('who connects and leaves without a word is not counted, as a probe of the port%s', async (_, tls) => {
  const address = await listen({ tls: tls() });
  const [host, port] = address.split(':');
  const socket = connectTcp(Number(port), host);
  await once(socket, 'connect');
  socket.destroy();
  const rude = connectTcp(Number(port), host);
  rude.end('PRI');
  await refused('closed_early');
});

test('connections are bounded', async () => {
  const address = await listen({}, { mostConnections: 1, helloMs: 60_000 });
  const [host, port] = address.split(':');
  const first = connectTcp(Number(port), host);
  await once(first, 'connect');
  await sendRaw(address, Buffer.alloc(0));
  await refused('too_many_connections');
  first.destroy();
});
