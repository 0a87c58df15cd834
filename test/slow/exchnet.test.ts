import { afterAll, beforeAll, expect, test } from 'vitest';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let small: SmallRun;
beforeAll(async () => {
  small = await smallRun();
});
afterAll(() => small.remove());

// test/full/pairs.test.ts has the exchange of gradients, and kills, for this method too.
test('a network of its own gives the bits of one worker on three, after an interruption while features are exchanged', async () => {
  const train = (name: string, workers: number) => [
    ...['train', small.runFile, '--workers', String(workers), '--set', `metadata.name=${name}`],
    ...['--set', 'spec.method=exchnet', '--set', 'spec.schedule.iterations=2'],
    ...['--set', 'spec.schedule.epochs=1', '--set', 'spec.schedule.decayAfter=[1]'],
  ];
  const run = async (...args: string[]) => {
    const { exitCode, stderr, lines } = await runCommandLine(args, { cwd: small.folder });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    return lines;
  };
  await run(...train('one', 1));
  const first = new CommandLine(train('three', 3), { cwd: small.folder });
  await first.line('evaluated');
  first.kill('SIGINT');
  expect(await first.ended).toMatchObject({ exitCode: 75 });
  await run(...train('three', 3), '--resume');
  const [one, three] = [await small.result('one'), await small.result('three')];
  const { weightsSha256, codesSha256, history } = one;
  expect(three).toMatchObject({ weightsSha256, codesSha256, history });
  const [before, exchanging] = history.map(({ losses }) => losses);
  expect(before).toMatchObject({ quantisation: 0, alignment: 0 });
  expect(before!.spatial).toBeGreaterThan(0);
  expect(exchanging!.alignment).toBeGreaterThan(0);
  expect((await run('audit', 'runs/three')).at(-1)).toMatchObject({ weightsSha256, codesSha256 });
});
