import { once } from 'node:events';
import { type ClientHttp2Session, connect } from 'node:http2';
import { type AddressInfo, createServer } from 'node:net';
import * as grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ReceiveWindows } from '../../src/transport/receive-windows.js';

const bytes = 4 << 20;
const server = new grpc.Server({ 'grpc.max_concurrent_streams': 2 });
const injector = server.createConnectionInjector(grpc.ServerCredentials.createInsecure());
const windows = new ReceiveWindows(server);
const listener = createServer((socket) => injector.injectConnection(socket));
let client: ClientHttp2Session;

beforeEach(async () => {
  await once(listener.listen(0, '127.0.0.1'), 'listening');
  client = connect(`http://127.0.0.1:${(listener.address() as AddressInfo).port}`);
  await once(client, 'remoteSettings');
});
afterEach(() => {
  client.destroy();
  listener.close();
  server.forceShutdown();
});

/** As gRPC names the client. */
const name = () => `127.0.0.1:${client.socket.localPort}`;

test('a peer may send more ahead once its windows are widened, and as many streams as before', async () => {
  expect(client.state.remoteWindowSize).toBe(65_535);
  expect(client.remoteSettings).toMatchObject({ initialWindowSize: 65_535, maxConcurrentStreams: 2 });
  const changed = once(client, 'remoteSettings');
  windows.widen(name(), bytes);
  await changed;
  await expect.poll(() => client.state.remoteWindowSize).toBe(bytes);
  expect(client.remoteSettings).toMatchObject({ initialWindowSize: bytes, maxConcurrentStreams: 2 });
});

test('a peer that has disconnected is none', async () => {
  const peer = name();
  client.destroy();
  await once(client, 'close');
  windows.widen(peer, bytes);
  windows.widen('127.0.0.1:1', bytes);
});
