import { afterAll, beforeAll, expect, test } from 'vitest';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
import { digestsOf, settingsOf, startRun, trainedAlone } from '../kit/hubs.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let small: SmallRun;
beforeAll(async () => {
  small = await smallRun();
});
afterAll(() => small.remove());

const positives = 'spec.batchNormalisation.positives=apart';
const anchors = 'spec.batchNormalisation.runningStatistics=anchors';
const half = 'spec.batchNormalisation.momentum=0.5';
const short = 'spec.schedule.epochs=1';
const together = 'spec.operation.membership.minWorkers=2';

test.each([
  ['three passes that all move the statistics', 'every', [short, positives]],
  ['one of three passes that moves them by half', 'first', [short, positives, anchors, half]],
] as const)(
  '%s: one worker, two machines, and three workers after an interruption have the same bits',
  async (_, name, settings) => {
    // It sends sums to the coordinator; several exchange them.
    const expected = await trainedAlone(small, `${name}-alone`, 2, settings);

    const machines = [['--processes', '2'], []];
    const run = await startRun(small, settingsOf(`${name}-machines`, 2, [...settings, together]), machines);
    await run.coordinator.line('workers exchange gradients among themselves');
    expect(await run.coordinator.ended).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await digestsOf(small, `${name}-machines`)).toEqual(expected);

    const train = ['train', small.runFile, '--workers', '3', ...settingsOf(`${name}-three`, 2, settings)];
    const first = new CommandLine(train, { cwd: small.folder });
    await first.line('evaluated');
    first.kill('SIGINT');
    expect(await first.ended).toMatchObject({ exitCode: 75 });
    const resumed = await runCommandLine([...train, '--resume'], { cwd: small.folder });
    expect(resumed).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await digestsOf(small, `${name}-three`)).toEqual(expected);
    const audit = await runCommandLine(['audit', `runs/${name}-three`], { cwd: small.folder });
    expect(audit).toMatchObject({ exitCode: 0, stderr: '' });
    expect(audit.lines.at(-1)).toMatchObject(expected);
  },
);
