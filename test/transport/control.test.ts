import { once } from 'node:events';
import { existsSync, mkdirSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { quote } from '../../src/errors.js';
import {
  type ControlHandler,
  controlBounds,
  controlRequestSchema,
} from '../../src/transport/control/message.js';
import { askNats, serveNatsControl } from '../../src/transport/control/nats.js';
import { askControlSocket, serveControlSocket } from '../../src/transport/control/socket.js';
import { TransportError } from '../../src/transport/error.js';
import { NatsLink } from '../../src/transport/events/nats-link.js';
import { NatsServer, natsMissing } from '../kit/nats-server.js';
import { temporaryDirectory } from '../run/support.js';

const silent = { info: () => {}, warn: () => {}, error: () => {} };
const echo: ControlHandler = async (request) => ({ ok: true, run: 'quick', term: 3, request });

async function serve(handler: ControlHandler) {
  const path = join(temporaryDirectory(), 'control.sock');
  const service = await serveControlSocket(path, handler);
  onTestFinished(() => service.close(true));
  const ask = async (text: string) => JSON.parse(await askControlSocket(path, text));
  return { path, service, ask };
}

test('a request is answered; the socket is for its owner alone and goes with its server', async () => {
  const { path, service, ask } = await serve(echo);
  const request = { command: 'drain', worker: 'local-1' };
  expect(await ask(JSON.stringify(request))).toEqual({ ok: true, run: 'quick', term: 3, request });
  expect(statSync(path).mode & 0o777).toBe(0o600);
  await service.close(true);
  expect(existsSync(path)).toBe(false);
  await expect(ask('{}')).rejects.toThrow('ENOENT');
});

test('a server that was replaced leaves its successor’s socket', async () => {
  const { path, service } = await serve(echo);
  rmSync(path);
  writeFileSync(path, 'the successor’s');
  await service.close(false);
  expect(existsSync(path)).toBe(true);
});

test.each([
  ['no JSON', 'status'],
  ['an unknown command', '{"command":"explode"}'],
  ['an unknown field', '{"command":"pause","for":"ever"}'],
  ['a worker without a name', '{"command":"drain","worker":""}'],
])('%s is refused with a code', async (_, text) => {
  const { ask } = await serve(echo);
  expect(await ask(text)).toEqual({
    ok: false,
    code: 'CONTROL_UNKNOWN',
    message: `the request is ${quote(text)}, expected JSON with a known command`,
  });
});

test('a request that is too long is refused with its bound', async () => {
  const { ask } = await serve(echo);
  const { requestBytes } = controlBounds;
  expect(await ask(' '.repeat(requestBytes + 1))).toEqual({
    ok: false,
    code: 'CONTROL_TOO_LONG',
    message: `the request has more than ${requestBytes} bytes`,
  });
});

test('a client that comes when all places are taken is told that the coordinator is busy', async () => {
  const { path, ask } = await serve(echo);
  const idle = Array.from({ length: 16 }, () => createConnection(path));
  onTestFinished(() => {
    for (const socket of idle) socket.destroy();
  });
  await Promise.all(idle.map((socket) => once(socket, 'connect')));
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask('{"command":"status"}')));
  expect(new Set(answers.map(({ code }) => code))).toEqual(new Set(['CONTROL_BUSY']));
  expect(answers[0].message).toBe('the coordinator is busy with 16 other requests; try again');
  idle[0]!.destroy();
  await expect.poll(() => ask('{"command":"status"}'), { timeout: 5_000 }).toMatchObject({ ok: true });
});

test('what the handler throws is answered, with its code when it has one', async () => {
  const { ask } = await serve(async ({ command }) => {
    if (command === 'pause') throw new TransportError('TRANSPORT_UNREACHABLE', 'nobody is there');
    throw new Error('something broke');
  });
  expect(await ask('{"command":"pause"}')).toEqual({
    ok: false,
    code: 'TRANSPORT_UNREACHABLE',
    message: 'nobody is there',
  });
  expect(await ask('{"command":"stop"}')).toMatchObject({ ok: false, code: 'CONTROL_FAILED' });
});

test('a peer that says nothing or hangs up hurts nobody', async () => {
  const { path, ask } = await serve(echo);
  const mute = createConnection(path);
  const rude = createConnection(path, () => rude.end('{"comm'));
  expect(await ask('{"command":"status"}')).toMatchObject({ ok: true });
  mute.destroy();
});

describe('where the path is too long for a socket’s address', () => {
  async function serveFarAway() {
    // 40 letters of three bytes each: what counts is bytes.
    const folder = join(temporaryDirectory(), '鳥'.repeat(40));
    mkdirSync(folder);
    const path = join(folder, 'control.sock');
    const service = await serveControlSocket(path, echo);
    onTestFinished(() => service.close(true));
    return { folder, path, service };
  }

  test('a short one elsewhere is found by both sides, for its owner alone, and goes with its server', async () => {
    const { path, service } = await serveFarAway();
    const made = readlinkSync(path);
    expect(Buffer.byteLength(made)).toBeLessThanOrEqual(100);
    expect([statSync(made).mode & 0o777, statSync(dirname(made)).mode & 0o777]).toEqual([0o600, 0o700]);
    expect(JSON.parse(await askControlSocket(path, '{"command":"status"}'))).toMatchObject({ ok: true });
    await service.close(true);
    expect([existsSync(path), existsSync(dirname(made))]).toEqual([false, false]);
  });

  test('a successor takes the place of one that was killed', async () => {
    const { folder, path } = await serveFarAway();
    rmSync(path);
    symlinkSync(join(folder, 'gone'), path);
    const successor = await serveControlSocket(path, echo);
    expect(JSON.parse(await askControlSocket(path, '{"command":"stop"}'))).toMatchObject({ ok: true });
    await successor.close(true);
  });
});

test('the folder may be reached by another path than its server’s, also a longer one', async () => {
  const { path } = await serve(echo);
  const link = join(temporaryDirectory(), 'x'.repeat(120));
  symlinkSync(dirname(path), link);
  const ask = askControlSocket(join(link, 'control.sock'), '{"command":"status"}');
  expect(JSON.parse(await ask)).toMatchObject({ ok: true });
});

test.skipIf(natsMissing !== '')(
  `an answer that is larger than the NATS server takes is refused instead of sent${natsMissing}`,
  async () => {
    const server = await NatsServer.start([], 'max_payload: 512');
    onTestFinished(() => server.remove());
    const link = new NatsLink(server.settings, 'test', silent);
    onTestFinished(() => link.close());
    const note = 'n'.repeat(1_000);
    serveNatsControl(
      link,
      'a.b',
      async () => ({ ok: true, run: 'a.b', term: 1, note }),
      () => true,
    );
    await link.get(10_000);
    await expect
      .poll(() => askNats(server.settings, 'a.b', '{"command":"status"}').then(JSON.parse, String), {
        timeout: 10_000,
      })
      .toEqual({
        ok: false,
        code: 'CONTROL_REPLY_TOO_LONG',
        message: "its answer has 1042 bytes, more than the NATS server's max_payload of 512",
      });
  },
);

test.skipIf(natsMissing !== '')(
  `over NATS the leader answers, and one that was replaced does not${natsMissing}`,
  async () => {
    const server = await NatsServer.start();
    onTestFinished(() => server.remove());
    const [old, leader] = ['old', 'leader'].map((name) => {
      const link = new NatsLink(server.settings, name, silent);
      onTestFinished(() => link.close());
      return link;
    });
    serveNatsControl(
      old!,
      'a.b',
      async () => ({ ok: true, run: 'a.b', term: 1 }),
      () => false,
    );
    await old!.get(2_000);
    const request = controlRequestSchema.parse({ command: 'status' });
    serveNatsControl(leader!, 'a.b', echo, () => true);
    await leader!.get(2_000);
    await (await leader!.get(0))!.flush();
    const reply = JSON.parse(await askNats(server.settings, 'a.b', JSON.stringify(request)));
    expect(reply).toEqual({ ok: true, run: 'quick', term: 3, request });
    await expect(askNats(server.settings, 'other', '{}')).rejects.toThrow(
      'no coordinator listens for its requests on the NATS server',
    );
  },
);
