import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { asFirstProcess, firstProcess, pidNamespacesMissing } from '../kit/pid-namespace.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let small: SmallRun;
beforeAll(async () => {
  small = await smallRun();
});
afterAll(() => small.remove());

/** A coordinator without workers: it waits until it is told to end. */
function waiting(): string[] {
  const settings = [
    `spec.dataset.path=${small.folder}/data`,
    `spec.operation.runsDirectory=${small.folder}/runs`,
    'spec.operation.listen=127.0.0.1:0',
  ];
  const flags = settings.flatMap((setting) => ['--set', setting]);
  return ['dist/cli.js', 'coordinator', small.runFile, '--resume=auto', ...flags];
}

function start(command: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(command[0]!, command.slice(1), {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...env },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, stderr }));
  return { child, ended };
}

/** Polls the kernel, which tells nobody. */
async function until<Value>(find: () => Value | null): Promise<Value> {
  for (;;) {
    const found = find();
    if (found !== null) return found;
    await sleep(1);
  }
}

/** The process, once its handlers are connected. Node has some of its own, but none for SIGHUP, whose comes last. */
function listening(pid: number | null): number | null {
  return pid !== null && catches(readFileSync(`/proc/${pid}/status`, 'utf8'), 'SIGHUP') ? pid : null;
}

function catches(status: string, signal: NodeJS.Signals): boolean {
  const caught = BigInt(`0x${/^SigCgt:\s+(\S+)/m.exec(status)![1]}`);
  return (caught & (1n << BigInt(constants.signals[signal] - 1))) !== 0n;
}

test('signals are received before anything is loaded', async () => {
  const hooks = `import { readFileSync, writeSync } from 'node:fs';
    export async function load(url, context, next) {
      if (url.includes('/node_modules/')) writeSync(2, readFileSync('/proc/self/status'));
      return next(url, context);
    }`;
  const dataUrl = (script: string) => `data:text/javascript,${encodeURIComponent(script)}`;
  const register = `import { register } from 'node:module'; register(${JSON.stringify(dataUrl(hooks))});`;
  const { ended } = start([process.execPath, '--import', dataUrl(register), 'dist/cli.js', '--version']);
  const { code, stderr } = await ended;
  const [first] = stderr.split(/(?=^Name:)/m).filter((status) => status.startsWith('Name:'));
  expect([code, catches(first!, 'SIGHUP')]).toEqual([0, true]);
});

test.skipIf(pidNamespacesMissing !== '').each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  `process 1 of a container receives %s from the first moment, and ends with 75${pidNamespacesMissing}`,
  async (signal) => {
    const { child, ended } = start([...asFirstProcess, process.execPath, ...waiting()]);
    process.kill(await until(() => listening(firstProcess(child.pid!))), signal);
    expect(await ended).toEqual({ code: 75, stderr: expect.stringContaining('interrupted') });
  },
);

const tiniMissing = spawnSync('tini', ['--version']).error ? ' (skipped: tini is not installed)' : '';
test.skipIf(pidNamespacesMissing !== '' || tiniMissing !== '')(
  `under tini, as in the image, no SIGTERM is lost, however early${pidNamespacesMissing || tiniMissing}`,
  async () => {
    for (const delayMs of [0, 2, 5, 10, 20, 40, 80, 160, 320]) {
      const { child, ended } = start([...asFirstProcess, 'tini', '--', process.execPath, ...waiting()]);
      const tini = await until(() => runningTini(child));
      await sleep(delayMs);
      process.kill(tini, 'SIGTERM');
      expect([75, 128 + constants.signals.SIGTERM]).toContain((await ended).code);
    }
  },
);

/** Process 1, once it is tini and has started its program. */
function runningTini(child: ChildProcess): number | null {
  const pid = firstProcess(child.pid!);
  if (pid === null || readFileSync(`/proc/${pid}/comm`, 'utf8') !== 'tini\n') return null;
  return firstProcess(pid) === null ? null : pid;
}

test('SIGUSR1 opens no debugger', async () => {
  const { child, ended } = start([process.execPath, '--inspect-port=0', ...waiting()]);
  await until(() => listening(child.pid!));
  child.kill('SIGUSR1');
  // Of what must not happen no event tells; with FCAENET_DEBUG=1 it takes a hundredth of that.
  await sleep(1000);
  child.kill('SIGTERM');
  expect(await ended).toEqual({ code: 75, stderr: expect.not.stringContaining('Debugger') });
});

test('with FCAENET_DEBUG=1 it does', async () => {
  const { child, ended } = start([process.execPath, '--inspect-port=0', ...waiting()], {
    FCAENET_DEBUG: '1',
  });
  await until(() => listening(child.pid!));
  child.kill('SIGUSR1');
  await once(child.stderr!, 'data');
  child.kill('SIGTERM');
  expect((await ended).stderr).toContain('Debugger listening on ');
});

const scriptMissing = spawnSync('script', ['--version']).error ? ' (skipped: needs script of bsdutils)' : '';
test.skipIf(scriptMissing !== '')(
  `a terminal that is closed ends a run as SIGTERM does, without a crash of Node${scriptMissing}`,
  async () => {
    const errors = join(small.folder, 'errors');
    const words = [process.execPath, ...waiting(), '--set', 'metadata.name=closed'];
    const command = `exec ${words.map((word) => `'${word}'`).join(' ')} 2> '${errors}'`;
    const { child } = start(['script', '--quiet', '--command', command, '/dev/null']);
    const program = await until(() => listening(firstProcess(child.pid!)));
    await until(() => (existsSync(join(small.folder, 'runs', 'closed', 'control.sock')) ? true : null));
    child.kill('SIGKILL');
    await until(() => (existsSync(`/proc/${program}`) ? null : true));
    // A log line that the closed terminal refuses is told, if one is written before the run ends.
    expect(readFileSync(errors, 'utf8')).toMatch(
      /^(fcaenet: cannot write to standard output \(EIO\);[^\n]+\n)?fcaenet: run closed was interrupted; checkpoint [^\n]+\n$/,
    );
  },
);
