import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { control } from '../../src/commands/control-action.js';
import type { ControlHandler } from '../../src/transport/control/message.js';
import { serveControlSocket } from '../../src/transport/control/socket.js';
import { run, temporaryDirectory } from '../run/support.js';

/** A run's directory with settings in it and, with a handler, a coordinator that answers. */
async function runDirectory(handler?: ControlHandler): Promise<string> {
  const directory = join(temporaryDirectory(), 'quick');
  mkdirSync(directory);
  writeFileSync(join(directory, 'run.yaml'), stringify(run()));
  if (handler) {
    const service = await serveControlSocket(join(directory, 'control.sock'), handler);
    onTestFinished(() => service.close(true));
  }
  return directory;
}

const ask = (directory: string, nats?: string) =>
  control({ request: { command: 'status' }, run: directory, nats });

test('the answer is printed as one JSON object', async () => {
  const written = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  onTestFinished(() => written.mockRestore());
  await ask(await runDirectory(async () => ({ ok: true, run: 'quick', term: 2, state: 'paused' })));
  expect(written.mock.calls).toEqual([['{"run":"quick","term":2,"state":"paused"}\n']]);
});

test('a refusal ends with its reason', async () => {
  const directory = await runDirectory(async () => ({ ok: false, code: 'SOME_CODE', message: 'not today' }));
  await expect(ask(directory)).rejects.toMatchObject({
    code: 'TRANSPORT_CONTROL_REFUSED',
    message: 'run quick refused: not today',
    exitCode: 1,
  });
});

test('a run whose coordinator does not answer, by socket or over NATS, is named', async () => {
  const directory = await runDirectory();
  const unreachable = { code: 'TRANSPORT_CONTROL_UNREACHABLE', exitCode: 69 };
  await expect(ask(directory)).rejects.toMatchObject(unreachable);
  await expect(ask(directory, 'nats://127.0.0.1:1')).rejects.toMatchObject(unreachable);
  await expect(ask('nowhere')).rejects.toMatchObject(unreachable);
});

test('an answer that is none is refused', async () => {
  const directory = await runDirectory();
  const server = createServer((socket) => socket.end('hello\n'));
  await new Promise<void>((resolve) => server.listen(join(directory, 'control.sock'), resolve));
  onTestFinished(() => void server.close());
  await expect(ask(directory)).rejects.toMatchObject({
    code: 'TRANSPORT_BAD_MESSAGE',
    message: 'run quick answered "hello", but must answer with one JSON object',
  });
});
