import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { control } from '../../src/commands/control-action.js';
import { acquireLock } from '../../src/run/lock.js';
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

/** Standard output that takes everything and shows nothing. */
function takenOutput() {
  return vi.spyOn(process.stdout, 'write').mockImplementation((_text, ...rest: unknown[]) => {
    const done = rest.at(-1);
    if (typeof done === 'function') done();
    return true;
  });
}

const ask = (directory: string, nats?: string) =>
  control({ request: { command: 'status' }, run: directory, nats, json: false });

test('the answer is printed as one JSON object', async () => {
  const written = takenOutput();
  onTestFinished(() => written.mockRestore());
  await ask(await runDirectory(async () => ({ ok: true, run: 'quick', term: 2, state: 'paused' })));
  expect(written.mock.calls.map(([text]) => text)).toEqual(['{"run":"quick","term":2,"state":"paused"}\n']);
});

test('a refusal ends with its reason', async () => {
  const directory = await runDirectory(async () => ({ ok: false, code: 'SOME_CODE', message: 'not today' }));
  await expect(ask(directory)).rejects.toMatchObject({
    code: 'TRANSPORT_CONTROL_REFUSED',
    message: 'run quick refused the request: not today',
    exitCode: 1,
  });
});

test('a run whose coordinator does not answer, by socket or over NATS, is named', async () => {
  const directory = await runDirectory();
  const unreachable = { code: 'TRANSPORT_CONTROL_UNREACHABLE', exitCode: 69 };
  const silent = {
    ...unreachable,
    message: expect.stringContaining('no coordinator of run quick answers ('),
  };
  const lock = acquireLock(join(directory, 'lock'), directory, 30);
  await expect(ask(directory)).rejects.toMatchObject(silent);
  lock.release();
  await expect(ask(directory)).rejects.toMatchObject({
    ...unreachable,
    message:
      'run quick was interrupted, and only an active run answers requests; npx fcaenet runs list shows its position',
  });
  await expect(ask(directory, 'nats://127.0.0.1:1')).rejects.toMatchObject(silent);
  await expect(ask('nowhere')).rejects.toMatchObject({
    ...unreachable,
    message: expect.stringContaining('there is no run nowhere: neither nowhere nor '),
  });
});

test('an answer that is none is refused', async () => {
  const directory = await runDirectory();
  const server = createServer((socket) => socket.end('hello\n'));
  await new Promise<void>((resolve) => server.listen(join(directory, 'control.sock'), resolve));
  onTestFinished(() => void server.close());
  await expect(ask(directory)).rejects.toMatchObject({
    code: 'TRANSPORT_BAD_MESSAGE',
    message: 'run quick answered "hello", expected one JSON object',
  });
});

describe('on a terminal', () => {
  const status = {
    run: 'quick',
    term: 2,
    state: 'running',
    position: { iteration: 2, epoch: 1, step: 4, globalStep: 148, phase: 'train' },
    schedule: { iterations: 7, epochs: 4, stepsPerEpoch: 16 },
    workers: [
      { slot: 0, name: 'local-0', state: 'ready', devices: 1 },
      { slot: 11, name: 'other', state: 'draining', devices: 8 },
    ],
    mAP: 0.61234,
    checkpoint: { name: 'term-000002-step-0000000128', ageSeconds: 14.4 },
  };

  /** What is written where standard output is a terminal. */
  async function shown(reply: object, json: boolean): Promise<string> {
    const { isTTY } = process.stdout;
    process.stdout.isTTY = true;
    vi.stubEnv('CI', '');
    const written = takenOutput();
    try {
      const directory = await runDirectory(async () => ({ ok: true, ...status, ...reply }));
      await control({ request: { command: 'status' }, run: directory, nats: undefined, json });
      return written.mock.calls.map(([text]) => text).join('');
    } finally {
      written.mockRestore();
      vi.unstubAllEnvs();
      process.stdout.isTTY = isTTY;
    }
  }

  test('a status is tables, with positions counted from 1', async () => {
    expect(await shown({}, false)).toBe(`\
run         quick
state       running, under coordinator 2
position    iteration 3 of 7, epoch 2 of 4, step 5 of 16; 148 of 448 steps are done
mAP         0.6123
checkpoint  term-000002-step-0000000128, 14 s old

slot  devices  worker   state
   0        1  local-0  ready
  11        8  other    draining
`);
  });

  test.each([
    [
      { position: { iteration: 0, epoch: 0, step: 0, globalStep: 0, phase: 'train' } },
      'iteration 1 of 7, epoch 1 of 4, step 1 of 16; 0 of 448 steps are done',
    ],
    [
      {
        position: { iteration: 0, epoch: 0, step: 0, globalStep: 0, phase: 'train' },
        schedule: { iterations: 1, epochs: 0, stepsPerEpoch: 1 },
      },
      'iteration 1 of 1, its codes; 0 of 0 steps are done',
    ],
    [
      { position: { iteration: 6, epoch: 0, step: 0, globalStep: 448, phase: 'evaluate' } },
      'iteration 7 of 7, its evaluation; 448 of 448 steps are done',
    ],
    [
      { position: { iteration: 7, epoch: 0, step: 0, globalStep: 448, phase: 'train' } },
      '448 of 448 steps are done',
    ],
  ])('%j', async (reply, position) => {
    expect(await shown(reply, false)).toContain(`\nposition    ${position}\n`);
  });

  test('what is not there yet is said in words', async () => {
    const text = await shown({ mAP: null, checkpoint: null, workers: [] }, false);
    expect(text).toContain(
      '\nmAP         not evaluated yet\ncheckpoint  none by this coordinator\nworkers     none\n',
    );
  });

  test('--json prints one JSON object there too', async () => {
    expect(JSON.parse(await shown({}, true))).toEqual(status);
  });

  test('the answer of an older coordinator, or to another request, is a line for each field', async () => {
    expect(await shown({ schedule: undefined, workers: undefined, state: 'pausing' }, false)).toContain(
      'state       pausing\n',
    );
  });
});
