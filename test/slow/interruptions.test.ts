import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ExitCode } from '../../src/errors.js';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let small: SmallRun;
let names = 0;

beforeAll(async () => {
  small = await smallRun();
});
afterAll(() => small.remove());

test.each([
  ['SIGINT', 'start-up, before any worker is there', 'waiting for workers'],
  ['SIGTERM', 'training', 'worker joined'],
  ['SIGHUP', 'training, when its terminal is closed', 'worker joined'],
  ['SIGINT', 'evaluation and the V-step before it', 'database codes updated'],
  ['SIGTERM', 'writing a checkpoint', 'evaluated'],
] as const)(
  '%s in %s ends with 75 and a durable checkpoint, and the run can go on',
  async (signal, _, moment) => {
    const name = `stopped-${++names}`;
    const command = [
      'train',
      small.runFile,
      '--workers',
      '1',
      '--set',
      `metadata.name=${name}`,
      '--resume=auto',
    ];
    const run = new CommandLine(command, { cwd: small.folder });
    await run.line(moment);
    run.kill(signal);
    const { exitCode, stderr } = await run.ended;
    expect(stderr).toMatch(/^fcaenet: run stopped-\d+ was interrupted; checkpoint [^\n]+ goes on\.\n$/);
    expect(exitCode).toBe(ExitCode.interrupted);
    const checkpoint = /checkpoint (term-\S+)/.exec(stderr)![1]!;
    const manifest = join(small.folder, 'runs', name, 'checkpoints', checkpoint, 'manifest.json');
    expect(existsSync(manifest)).toBe(true);
    const again = await runCommandLine(command, { cwd: small.folder });
    expect([again.exitCode, again.stderr]).toEqual([0, '']);
  },
);
