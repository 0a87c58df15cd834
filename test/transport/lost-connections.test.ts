import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import {
  type ClientHttp2Session,
  connect,
  createSecureServer,
  type Http2Stream,
  type ServerHttp2Session,
} from 'node:http2';
import { type AddressInfo, connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeCertificates, tlsFilesIn } from '../../src/transport/certificates.js';
import { closeLostConnections } from '../../src/transport/lost-connections.js';
import { readTlsFiles, type TlsMaterial } from '../../src/transport/tls-files.js';

/** One of these meets the fault in about half of all cases. */
const peers = 8;

let folder: string;
let tls: TlsMaterial;
let children: ChildProcess[];
let closing: (() => void)[];
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fcaenet-lost-'));
  await makeCertificates({ directory: folder, names: [], days: 1, nowMs: Date.now() });
  tls = readTlsFiles(tlsFilesIn(folder, 'coordinator'));
  children = [];
  closing = [];
});
afterEach(() => {
  for (const close of closing.reverse()) close();
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

/** A process of its own, which reads what it is sent and nothing else. @returns its first line */
async function peer(program: string, ...args: string[]): Promise<string> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const [line] = await once(child.stdout, 'data');
  return String(line).trim();
}

/** Writes as fast as the peer reads. */
function fill(stream: Http2Stream): void {
  const chunk = Buffer.alloc(1 << 20);
  const more = () => {
    while (!stream.destroyed && stream.write(chunk));
  };
  stream.on('drain', more).on('error', () => {});
  more();
}

/** Seconds after which all of these were closed; null after ten. */
async function secondsToClose(sessions: readonly (ServerHttp2Session | ClientHttp2Session)[]) {
  const start = performance.now();
  const closed = Promise.all(
    sessions.map((session) => new Promise<void>((done) => session.once('close', done))),
  );
  for (const child of children) child.kill('SIGKILL');
  const inTime = await Promise.race([closed.then(() => true), sleep(10_000, false, { ref: false })]);
  return inTime ? (performance.now() - start) / 1000 : null;
}

test('a client that is killed while it is sent something is noticed', async () => {
  closing.push(closeLostConnections());
  const { certificate, key } = tls;
  const server = createSecureServer({ cert: certificate, key }).listen(0, '127.0.0.1');
  closing.push(() => server.close());
  const sessions: ServerHttp2Session[] = [];
  server.on('session', (session) => {
    sessions.push(session);
    session.on('error', () => {});
  });
  server.on('stream', (stream) => {
    stream.respond();
    fill(stream);
  });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = `
    import { connect } from 'node:http2';
    const session = connect('https://127.0.0.1:${port}', { rejectUnauthorized: false, settings: { initialWindowSize: 8 << 20 } });
    session.on('connect', () => session.setLocalWindowSize(8 << 20));
    session.request().once('data', () => console.log('reads')).resume();`;
  await Promise.all(Array.from({ length: peers }, () => peer(client)));
  await sleep(100);
  expect(await secondsToClose(sessions)).not.toBeNull();
});

test('a server that is killed while it is sent something is noticed', async () => {
  closing.push(closeLostConnections());
  const { certificate, key, authority } = tls;
  const server = `
    import { createSecureServer } from 'node:http2';
    const server = createSecureServer({ ...JSON.parse(process.argv[1]), settings: { initialWindowSize: 8 << 20 } }).listen(0, '127.0.0.1');
    server.on('session', (session) => session.setLocalWindowSize(8 << 20));
    server.on('stream', (stream) => stream.resume());
    server.on('listening', () => console.log(server.address().port));`;
  const options = JSON.stringify({ cert: String(certificate), key: String(key) });
  const ports = await Promise.all(Array.from({ length: peers }, () => peer(server, options)));
  const sessions = await Promise.all(
    ports.map(async (port) => {
      // As gRPC connects.
      const socket = connectTcp(Number(port), '127.0.0.1');
      socket.on('error', () => {});
      await once(socket, 'connect');
      const session = connect('https://localhost', {
        createConnection: () =>
          connectTls({ socket, ca: authority, ALPNProtocols: ['h2'], checkServerIdentity: () => undefined }),
      });
      session.on('error', () => {});
      closing.push(() => session.destroy());
      await once(session, 'remoteSettings');
      fill(session.request({ ':method': 'POST' }));
      return session;
    }),
  );
  await sleep(100);
  expect(await secondsToClose(sessions)).not.toBeNull();
});
