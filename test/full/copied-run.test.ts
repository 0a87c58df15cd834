import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
import { smallRun } from '../kit/small-run.js';

test('a run that was copied without terms/ goes on to the same bits, and its ledger audits clean', {
  timeout: 240_000,
}, async () => {
  const small = await smallRun();
  try {
    const { folder, runFile } = small;
    const settings = (name: string) => ['--workers', '1', '--set', `metadata.name=${name}`];
    const stopped = new CommandLine(['train', runFile, ...settings('original')], { cwd: folder });
    await stopped.line('evaluated');
    stopped.kill('SIGTERM');
    expect((await stopped.ended).exitCode).toBe(75);
    await cp(join(folder, 'runs', 'original'), join(folder, 'runs', 'copy'), { recursive: true });
    await rm(join(folder, 'runs', 'copy', 'terms'), { recursive: true });
    for (const name of ['original', 'copy']) {
      const { exitCode, stderr } = await runCommandLine(['train', runFile, ...settings(name), '--resume'], {
        cwd: folder,
      });
      expect([exitCode, stderr]).toEqual([0, '']);
    }
    const [original, copy] = await Promise.all(['original', 'copy'].map((name) => small.result(name)));
    expect([copy!.weightsSha256, copy!.codesSha256]).toEqual([
      original!.weightsSha256,
      original!.codesSha256,
    ]);
    const audit = await runCommandLine(['audit', 'runs/copy'], { cwd: folder });
    expect([audit.exitCode, audit.stderr]).toEqual([0, '']);
  } finally {
    await small.remove();
  }
});
