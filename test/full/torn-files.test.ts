import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { RunDirectory } from '../../src/run/run-directory.js';
import { CommandLine } from '../kit/command-line.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let run: SmallRun;
beforeAll(async () => {
  run = await smallRun();
});
afterAll(() => run.remove());

function start(args: readonly string[]): CommandLine {
  const command = new CommandLine(args, { cwd: run.folder });
  onTestFinished(() => command.kill('SIGKILL'));
  return command;
}
const train = (name: string, ...flags: string[]) =>
  start(['train', run.runFile, '--set', `metadata.name=${name}`, '--workers', '1', ...flags]);

test('a run whose files lost their ends goes on from an older checkpoint, to the same bits', {
  timeout: 240_000,
}, async () => {
  expect((await train('whole').ended).exitCode).toBe(0);
  const killed = train('torn');
  await killed.line('checkpoint written', ({ name }) => String(name) >= 'term-000001-step-0000000004');
  killed.kill('SIGKILL');
  await killed.ended;

  const directory = RunDirectory.at(join(run.folder, 'runs', 'torn'));
  const names = readdirSync(directory.checkpoints).filter((name) => name.startsWith('term-'));
  const [older, newest] = names.sort().slice(-2) as [string, string];
  const steps = Number(newest.slice(-10));
  const [ledger] = directory.ledgerFiles() as [string];
  // Up to the middle of the last line that the newest checkpoint needs: the header is the first.
  const lines = readFileSync(ledger, 'utf8')
    .split('\n')
    .slice(0, steps + 1);
  writeFileSync(ledger, lines.join('\n').slice(0, -100));
  appendFileSync(directory.eventsFile, '{"run":"to');

  const resumed = train('torn', '--resume');
  expect((await resumed.ended).exitCode).toBe(0);
  const said = resumed.lines.filter(({ message }) =>
    /checkpoint cannot be used|older checkpoint/.test(message),
  );
  expect(said).toEqual([
    expect.objectContaining({
      message: 'checkpoint cannot be used',
      name: newest,
      reason: `the ledger ${join('runs', 'torn', 'ledger-000001.jsonl')} ends in the middle of line ${steps + 1}`,
    }),
    expect.objectContaining({
      message: 'using an older checkpoint; the steps after it are computed again',
      name: older,
      steps: 1,
    }),
  ]);
  const [whole, torn] = [await run.result('whole'), await run.result('torn')];
  expect([torn.weightsSha256, torn.codesSha256]).toEqual([whole.weightsSha256, whole.codesSha256]);
  const audit = await start(['audit', join('runs', 'torn')]).ended;
  expect([audit.exitCode, audit.stderr]).toEqual([0, '']);
  const events = readFileSync(directory.eventsFile, 'utf8').trimEnd().split('\n');
  expect(events.map((line) => JSON.parse(line).type)).toEqual(
    expect.arrayContaining(['run.started', 'run.resumed', 'run.finished']),
  );
});
