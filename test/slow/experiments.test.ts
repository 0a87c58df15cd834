import { readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listDataset } from '../../src/data/dataset.js';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let small: SmallRun;
beforeAll(async () => {
  small = await smallRun();
});
afterAll(() => small.remove());

const json = async (...path: string[]) => JSON.parse(await readFile(join(small.folder, ...path), 'utf8'));

describe('a table', () => {
  // The features of the small network vary in fewer directions than 40.
  const args = () => ['table', small.runFile, '--methods', 'lsh,itq', '--bits', '40', '--seeds', '1'];

  test('goes on after Ctrl-C, shows a run that fails, and ends with the others', async () => {
    const first = new CommandLine([...args(), '--workers', '1'], { cwd: small.folder });
    await first.line('worker joined');
    first.kill('SIGINT');
    const { exitCode: interrupted, stderr: advice } = await first.ended;
    expect(interrupted).toBe(75);
    expect(advice).toMatch(
      /run lsh-40bit-seed0 was interrupted; .* table .* --seeds 1 --workers 1` goes on\.\n$/,
    );

    const { exitCode, stderr } = await runCommandLine([...args(), '--workers', '1'], { cwd: small.folder });
    expect(exitCode).toBe(1);
    expect(stderr).toContain(
      '1 of 2 runs of the table failed, which is written to tables/small without them',
    );
    expect(stderr).toContain('the first, itq-40bit-seed0: ');
    const { places } = await json('tables', 'small', 'table.json');
    const { mAP } = await json('tables', 'small', 'runs', 'lsh-40bit-seed0', 'result.json');
    expect(places).toMatchObject([
      { variant: 'lsh', equality: 'steps', mAP: { mean: mAP, deviation: null }, finished: 1 },
      { variant: 'itq', equality: 'steps', mAP: null, finished: 0, runs: [{ state: 'failed' }] },
      { variant: 'lsh', equality: 'images', mAP: { mean: mAP } },
      { variant: 'itq', equality: 'images', mAP: null },
    ]);
  });

  test('shows what is left to run, and changes nothing', async () => {
    const { exitCode, lines } = await runCommandLine([...args(), '--plan'], { cwd: small.folder });
    expect(exitCode).toBe(0);
    expect(lines).toMatchObject([
      { message: 'planned run', run: 'lsh-40bit-seed0', state: 'finished' },
      { message: 'planned run', run: 'itq-40bit-seed0', steps: 0 },
      { message: 'planned', runs: 2, missing: 1 },
    ]);
  });
});

describe('a search', () => {
  test('opens no image of the test split, and goes on where it was', async () => {
    // Whoever reads one of them reads a terabyte.
    const { imagesRoot, test: held } = await listDataset(join(small.folder, 'data'));
    for (const path of held.paths) await truncate(join(imagesRoot, path), 2 ** 40);
    const shorter = ['--set', 'spec.schedule.iterations=1', '--set', 'spec.dataset.sampleSize=13'];
    const args = ['tune', small.runFile, '--trials', '2', '--vary', 'alpha', '--workers', '1', ...shorter];
    const { exitCode, stderr } = await runCommandLine(args, { cwd: small.folder });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const { trials, chosen, holdOut } = await json('tuning', 'small', 'tune.json');
    expect(holdOut).toMatchObject({ train: 24, heldOut: 8 });
    expect(chosen.mAP).toBe(Math.max(...trials.map(({ mAP }: { mAP: number }) => mAP)));
    const { run } = await json('tuning', 'small', 'runs', 'trial001-rung1', 'result.json');
    expect(run).toBe('trial001-rung1');
    const again = await runCommandLine(args, { cwd: small.folder });
    expect(again.lines.filter(({ message }) => message === 'next run')).toEqual([]);
    expect((await json('tuning', 'small', 'tune.json')).chosen).toEqual(chosen);
  });
});
