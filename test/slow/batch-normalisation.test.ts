import { afterAll, beforeAll, expect, test } from 'vitest';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let small: SmallRun;
beforeAll(async () => {
  small = await smallRun();
});
afterAll(() => small.remove());

const train = (name: string, workers: number, ...settings: string[]) => [
  ...['train', small.runFile, '--workers', String(workers), '--set', `metadata.name=${name}`],
  ...['spec.schedule.iterations=2', 'spec.schedule.epochs=1', ...settings].flatMap((each) => ['--set', each]),
];

async function run(...args: string[]) {
  const { exitCode, stderr, lines } = await runCommandLine(args, { cwd: small.folder });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return lines;
}

const positives = 'spec.batchNormalisation.positives=apart';
const anchors = 'spec.batchNormalisation.runningStatistics=anchors';

test.each([
  ['three passes that all move the statistics', [positives]],
  ['one of three passes that moves them', [positives, anchors]],
] as const)(
  '%s give the bits of one worker on two and three, after an interruption',
  async (title, settings) => {
    const name = (workers: string) => `${workers}-${settings.length}`;
    await run(...train(name('one'), 1, ...settings));
    // Alone it sends its sums to the coordinator; several exchange them.
    await run(...train(name('two'), 2, ...settings));
    const first = new CommandLine(train(name('three'), 3, ...settings), { cwd: small.folder });
    await first.line('evaluated');
    first.kill('SIGINT');
    expect(await first.ended).toMatchObject({ exitCode: 75 });
    await run(...train(name('three'), 3, ...settings), '--resume');
    const { weightsSha256, codesSha256, history } = await small.result(name('one'));
    for (const others of ['two', 'three']) {
      expect(await small.result(name(others)), title).toMatchObject({ weightsSha256, codesSha256, history });
    }
    const audit = await run('audit', `runs/${name('three')}`);
    expect(audit.at(-1)).toMatchObject({ weightsSha256, codesSha256 });
  },
);

test('each setting gives a run other bits; one that its method cannot follow gives none', async () => {
  const digestOf = async (name: string, ...settings: string[]) => {
    await run(...train(name, 1, 'spec.schedule.iterations=1', 'spec.schedule.decayAfter=[]', ...settings));
    return (await small.result(name)).weightsSha256;
  };
  const digests = [
    await digestOf('usual'),
    await digestOf('apart', positives),
    await digestOf('anchors', anchors),
    await digestOf('both', positives, anchors),
  ];
  expect(new Set(digests).size).toBe(4);
  const baseline = await digestOf('baseline', 'spec.method=baseline');
  expect(await digestOf('baseline-both', 'spec.method=baseline', positives, anchors)).toBe(baseline);
});
