import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { asFirstProcess, firstProcess, pidNamespacesMissing } from '../kit/pid-namespace.js';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const program = ['dist/cli.js', 'train', 'examples/quick.yaml', '--set', 'spec.dataset.path=nowhere'];

/** Has Node say on stderr that it begins to load the command line's parser, and wait for it for ever. */
const hooks = `export async function load(url, context, next) {
  if (!url.includes('/node_modules/commander/')) return next(url, context);
  (await import('node:fs')).writeSync(2, 'loading\\n');
  return new Promise((resolve) => setTimeout(resolve, 2 ** 30));
}`;
const loader = `import { register } from 'node:module'; register(${JSON.stringify(dataUrl(hooks))});`;

function dataUrl(script: string): string {
  return `data:text/javascript,${encodeURIComponent(script)}`;
}

function start(...command: string[]) {
  const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const ended = once(child, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as string | null,
    stderr,
  }));
  return { child, ended };
}

/** Waits until `found` gives something of process 1 of the namespace. */
async function inNamespaceOf<Value>(
  child: ChildProcess,
  found: (pid: number) => Value | null,
): Promise<Value> {
  for (;;) {
    const pid = firstProcess(child.pid!);
    const value = pid === null ? null : found(pid);
    if (value !== null) return value;
    await sleep(1);
  }
}

/** The process number, once the kernel knows of a handler for the signal. */
const onceHandled = (signal: NodeJS.Signals) => (pid: number) => {
  const handled = BigInt(`0x${/^SigCgt:\s+(\S+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]}`);
  return handled & (1n << BigInt(constants.signals[signal] - 1)) ? pid : null;
};

/** The process number, once tini has started its program. */
const onceTiniWaits = (pid: number) =>
  readFileSync(`/proc/${pid}/comm`, 'utf8') === 'tini\n' && firstProcess(pid) !== null ? pid : null;

test.each(signals)(
  '%s is received before anything is loaded, and ends a run that has not begun with 75',
  async (signal) => {
    const { child, ended } = start(process.execPath, '--import', dataUrl(loader), ...program);
    await once(child.stderr!, 'data');
    child.kill(signal);
    const name = signal === 'SIGINT' ? 'Ctrl-C' : signal;
    expect(await ended).toEqual({
      code: 75,
      signal: null,
      stderr: `loading\nfcaenet: interrupted by ${name}.\n`,
    });
  },
);

test.skipIf(pidNamespacesMissing !== '').each(signals)(
  `process 1 of a container receives %s from the first moment${pidNamespacesMissing}`,
  async (signal) => {
    const { child, ended } = start(...asFirstProcess, process.execPath, ...program);
    // Node has handlers of its own for the other two, which process 1 is not ended by; SIGHUP's is connected last.
    process.kill(await inNamespaceOf(child, onceHandled('SIGHUP')), signal);
    const { code, stderr } = await ended;
    expect([code, stderr]).toEqual([75, expect.stringMatching(/^fcaenet: interrupted by [^\n]+\n$/)]);
  },
);

const tiniMissing = spawnSync('tini', ['--version']).error ? ' (skipped: tini is not installed)' : '';
test.skipIf(pidNamespacesMissing !== '' || tiniMissing !== '')(
  `under tini, as in the image, no SIGTERM is lost, however early${pidNamespacesMissing || tiniMissing}`,
  async () => {
    for (const delayMs of [0, 2, 5, 10, 20, 40, 80]) {
      const { child, ended } = start(...asFirstProcess, 'tini', '--', process.execPath, ...program);
      const tini = await inNamespaceOf(child, onceTiniWaits);
      await sleep(delayMs);
      process.kill(tini, 'SIGTERM');
      expect([75, 128 + constants.signals.SIGTERM]).toContain((await ended).code);
    }
  },
);

test('SIGUSR1 opens no debugger', async () => {
  const { child, ended } = start(process.execPath, '--import', dataUrl(loader), ...program);
  await once(child.stderr!, 'data');
  child.kill('SIGUSR1');
  // Of what must not happen no event tells; with FCAENET_DEBUG=1 it takes a hundredth of that.
  await sleep(1000);
  child.kill('SIGTERM');
  expect((await ended).stderr).not.toContain('Debugger');
});

test('with FCAENET_DEBUG=1 it does', async () => {
  process.env.FCAENET_DEBUG = '1';
  onTestFinished(() => {
    delete process.env.FCAENET_DEBUG;
  });
  const { child, ended } = start(
    process.execPath,
    '--inspect-port=0',
    '--import',
    dataUrl(loader),
    ...program,
  );
  await once(child.stderr!, 'data');
  child.kill('SIGUSR1');
  await once(child.stderr!, 'data');
  child.kill('SIGTERM');
  expect((await ended).stderr).toContain('Debugger listening on ');
});
