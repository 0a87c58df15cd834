import { connect, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { BoundedServer } from '../../src/live/serve/bounded-server.js';

const body = Buffer.alloc(2 ** 20);

/** A connection to a server, and when that server first drops an answer that is not read. */
async function connectToServer(): Promise<{ readonly socket: Socket; readonly dropped: Promise<string> }> {
  let drop: (what: string) => void;
  const dropped = new Promise<string>((resolve) => {
    drop = resolve;
  });
  const server = await BoundedServer.listen(
    { host: '127.0.0.1', port: 0 },
    async (_, response) => {
      response.once('close', () => response.writableFinished || drop('dropped'));
      response.end(body);
    },
    { requestMs: 200, unreadMs: 200 },
  );
  onTestFinished(() => server.close());
  const socket = connect(Number(server.address.split(':')[1]), '127.0.0.1').on('error', () => {});
  onTestFinished(() => void socket.destroy());
  return { socket, dropped };
}

const closed = (socket: Socket) =>
  new Promise<string>((resolve) => socket.once('close', () => resolve('closed')));
const request = 'GET / HTTP/1.1\r\nhost: localhost\r\n\r\n';

test.each([
  ['nothing', ''],
  ['a part of a request', request.slice(0, 20)],
])(
  'who sends %s is disconnected within seconds',
  async (_, sent) => {
    const { socket } = await connectToServer();
    socket.resume().write(sent);
    expect(await closed(socket)).toBe('closed');
  },
  10_000,
);

test('who asks and takes no answer is disconnected', async () => {
  const { socket, dropped } = await connectToServer();
  // More answers than the system keeps for a reader.
  socket.pause().write(request.repeat(50));
  expect(await dropped).toBe('dropped');
});

test('who reads slowly gets the whole answer', async () => {
  const { socket } = await connectToServer();
  socket.write(request.replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n'));
  let bytes = 0;
  socket.on('data', (part: Buffer) => {
    bytes += part.length;
    socket.pause();
    setTimeout(() => socket.resume(), 5);
  });
  await closed(socket);
  expect(bytes).toBeGreaterThan(body.length);
});
