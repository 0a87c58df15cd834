import { once } from 'node:events';
import { type ClientHttp2Session, connect, createServer, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { keepAlive } from '../../src/transport/keepalive.js';
import { TcpProxy } from '../kit/tcp-proxy.js';

const silenceMs = 300;
const server = createServer();
let peer: ServerHttp2Session;
let proxy: TcpProxy;
let client: ClientHttp2Session;
let silences: number;

beforeEach(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const accepted = once(server, 'session');
  proxy = await TcpProxy.to(`127.0.0.1:${(server.address() as AddressInfo).port}`);
  client = connect(`http://127.0.0.1:${proxy.port}`).on('error', () => {});
  await once(client, 'remoteSettings');
  [peer] = await accepted;
  peer.on('error', () => {});
  silences = 0;
  keepAlive(client, silenceMs, () => silences++);
});
afterEach(() => {
  client.destroy();
  peer.destroy();
  proxy.close();
  server.close();
});

test('a peer that answers is not silent', async () => {
  await sleep(3 * silenceMs);
  expect(silences).toBe(0);
});

test('a peer that does not answer is silent once', async () => {
  proxy.pause();
  await expect.poll(() => silences, { timeout: 5_000 }).toBe(1);
  await sleep(silenceMs);
  expect(silences).toBe(1);
});

test('time in which this thread is blocked is no silence', async () => {
  for (let times = 0; times < 3; times++) {
    const end = performance.now() + 2 * silenceMs;
    while (performance.now() < end);
    await sleep(silenceMs / 2);
  }
  expect(silences).toBe(0);
});

test('a closed connection is not pinged', async () => {
  client.destroy();
  await sleep(2 * silenceMs);
  expect(silences).toBe(0);
});
