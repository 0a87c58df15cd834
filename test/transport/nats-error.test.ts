import { createServer, type Server } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { NatsLink } from '../../src/transport/events/nats-link.js';
import { run } from '../run/support.js';

/** What a link says of a server that is not a NATS server. */
async function reasonFor(server: Server | null): Promise<{ address: string; reason: string }> {
  let address = '127.0.0.1:1';
  if (server !== null) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    address = `127.0.0.1:${(server.address() as { port: number }).port}`;
    onTestFinished(() => void server.close());
  }
  const reason = await new Promise<string>((resolve) => {
    const warn = (_: string, fields = {}) => resolve((fields as { reason: string }).reason);
    const settings = { ...run().spec.operation.nats, url: `nats://${address}` };
    const link = new NatsLink(settings, 'test', { info: () => {}, warn, error: () => {} });
    onTestFinished(() => link.close());
  });
  return { address, reason };
}

test('a server that is silent, of another kind, or absent is named with its address', async () => {
  const silent = createServer((socket) => void socket.on('error', () => {}));
  const other = createServer((socket) => {
    socket.on('error', () => {});
    socket.write('220 mail.example ready\r\n');
  });
  const [mute, mail, absent] = await Promise.all([reasonFor(silent), reasonFor(other), reasonFor(null)]);
  expect(mute.reason).toBe(
    `nothing answered as a NATS server at ${mute.address} within 2 s: it cannot be reached, or another kind of server listens there`,
  );
  expect(mail.reason).toBe(`what listens at ${mail.address} is not a NATS server`);
  expect(absent.reason).toBe('no process listens at 127.0.0.1:1, or it closes new connections at once');
});
