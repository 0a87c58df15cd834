import { afterAll, beforeAll, expect, test } from 'vitest';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let small: SmallRun;
beforeAll(async () => {
  small = await smallRun();
});
afterAll(() => small.remove());

// test/full/pairs.test.ts has the other methods with a loss over pairs, the exchange, and kills.
test('a loss over pairs gives the bits of one worker on two, after an interruption, and is audited', async () => {
  const train = (name: string, workers: number) => [
    ...['train', small.runFile, '--workers', String(workers), '--set', `metadata.name=${name}`],
    ...['--set', 'spec.method=dpsh', '--set', 'spec.schedule.iterations=2'],
  ];
  const run = async (...args: string[]) => {
    const { exitCode, stderr, lines } = await runCommandLine(args, { cwd: small.folder });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    return lines;
  };
  await run(...train('one', 1));
  const first = new CommandLine(train('two', 2), { cwd: small.folder });
  await first.line('evaluated');
  first.kill('SIGINT');
  expect(await first.ended).toMatchObject({ exitCode: 75 });
  await run(...train('two', 2), '--resume');
  const [one, two] = [await small.result('one'), await small.result('two')];
  const { weightsSha256, codesSha256, history } = one;
  expect(two).toMatchObject({ weightsSha256, codesSha256, history });
  expect(history[0]!.losses.similarity).toBeGreaterThan(0);
  expect((await run('audit', 'runs/two')).at(-1)).toMatchObject({ weightsSha256, codesSha256 });
});
