import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let small: SmallRun;
beforeAll(async () => {
  small = await smallRun();
});
afterAll(() => small.remove());

/** Runs a line that was typed, and sends SIGINT when the log has the message. */
async function type(line: string, cwd: string, interruptAt?: string) {
  const child = spawn('sh', ['-c', `exec ${line}`], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const messages: string[] = [];
  let stderr = '';
  child.stderr.on('data', (data: Buffer) => {
    stderr += data.toString();
  });
  createInterface({ input: child.stdout }).on('line', (text) => {
    if (!text.startsWith('{')) return;
    const { message } = JSON.parse(text) as { message: string };
    messages.push(message);
    if (message === interruptAt) child.kill('SIGINT');
  });
  const [exitCode] = await once(child, 'close');
  return { exitCode, stderr, messages };
}

const program = join(process.cwd(), 'dist/cli.js');

test.each([
  ['train', () => [`node ${program} train run.yaml --workers 1`, small.folder] as const],
  [
    'npm start',
    () =>
      [
        `node scripts/start.mjs --workers 1 --data ${small.folder}/data --set spec.schedule.iterations=2 --set spec.schedule.epochs=1 ` +
          `--set spec.operation.runsDirectory='${small.folder}/my runs' --set spec.operation.metrics=off ` +
          `--set spec.operation.cache.directory=${small.folder}/cache`,
        process.cwd(),
      ] as const,
  ],
])(
  'Ctrl-C in %s names the command that goes on, and typed so it does',
  async (_, start) => {
    const [line, folder] = start();
    const { exitCode, stderr } = await type(line, folder, 'database codes updated');
    const [, command] = /^fcaenet: run \S+ was interrupted; .*, and `(.*)` goes on\.\n$/.exec(stderr) ?? [];
    expect([exitCode, command]).toEqual([75, expect.any(String)]);
    const again = await type(command!, folder);
    expect([again.exitCode, again.stderr]).toEqual([0, '']);
    expect(again.messages).toEqual(expect.arrayContaining(['resuming', 'run finished']));
  },
  600_000,
);
