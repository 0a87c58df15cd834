import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Bisection } from '../../src/inspection/bisect/bisect.js';
import { bisectionText } from '../../src/inspection/bisect/show-bisection.js';
import { chainStart, type LedgerStep, ledgerLine, readHeader } from '../../src/ledger/entry.js';
import { readLedger } from '../../src/ledger/reader.js';
import { runCommandLine } from '../kit/command-line.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

/** Two iterations of two epochs of two steps. */
const short = [
  'spec.schedule.iterations=2',
  'spec.schedule.decayAfter=[]',
  'spec.operation.evaluation.every=2',
];
let small: SmallRun;

async function train(name: string, ...settings: string[]): Promise<void> {
  const { exitCode, stderr } = await runCommandLine(
    [
      ...['train', small.runFile, '--workers', '1'],
      ...[`metadata.name=${name}`, ...short, ...settings].flatMap((setting) => ['--set', setting]),
    ],
    { cwd: small.folder },
  );
  expect([exitCode, stderr]).toEqual([0, '']);
}

/** What `runs compare --bisect` finds. */
async function bisect(first: string, second: string, workers = 1): Promise<Bisection> {
  const { exitCode, stderr, lines } = await runCommandLine(
    ['runs', 'compare', '--bisect', '--workers', String(workers), `runs/${first}`, `runs/${second}`],
    { cwd: small.folder },
  );
  expect([exitCode, stderr]).toEqual([0, '']);
  return lines.find(({ message }) => message === 'runs bisected') as unknown as Bisection;
}

/** What a ledger has of a gradient that no machine computes. */
const foreign = { gradientSha256: '0'.repeat(64) };

/** A copy of the first run whose ledger says something else of one step, its chain whole. */
async function forge(name: string, globalStep: number, other: Partial<LedgerStep>): Promise<string> {
  const copy = join(small.folder, 'runs', name);
  cpSync(join(small.folder, 'runs', 'one'), copy, { recursive: true });
  const path = join(copy, 'ledger-000001.jsonl');
  const { header } = readHeader(readFileSync(path, 'utf8').split('\n')[0]!);
  const { steps } = await readLedger(path, header);
  const lines = [ledgerLine(header, chainStart)];
  for (const step of steps.with(globalStep, { ...steps[globalStep]!, ...other })) {
    lines.push(ledgerLine(step, lines.at(-1)!.hash));
  }
  writeFileSync(path, lines.map(({ text }) => `${text}\n`).join(''));
  return copy;
}

beforeAll(async () => {
  small = await smallRun();
  await train('one');
});
afterAll(() => small.remove());

test('runs that are equal part nowhere, and nothing is computed', async () => {
  expect(await bisect('one', 'one')).toMatchObject({ place: 'nowhere', step: null, replays: [] });
});

test('runs of other samples part by their samples, and nothing is computed', async () => {
  await forge('samples', 1, { ...foreign, batch: '1'.repeat(64) });
  expect(await bisect('one', 'samples')).toMatchObject({
    place: 'samples',
    step: 2,
    sentence: 'step 2 used other images or microbatches in the second run',
    replays: [],
  });
});

test('a setting of the loss shows in the first microbatch, from its losses on', async () => {
  await train('gamma', 'spec.loss.gamma=100');
  const found = await bisect('one', 'gamma');
  expect(found).toMatchObject({
    place: 'microbatch',
    step: 1,
    position: { iteration: 1, epoch: 1, step: 1 },
    settings: ['spec.loss.gamma'],
    microbatch: 0,
    // The forward pass knows nothing of the loss.
    tensors: { state: null, microbatch: { first: { tensor: 'losses', elements: 4 } } },
    afterwards: { step: 1 },
  });
  expect(found.tensors.microbatch!.largest.absolute).toBeGreaterThan(0);
  expect(found.microbatches).toHaveLength(5);
  expect(found.replays).toMatchObject([
    { run: 'one', checkpoint: null, stepsBefore: 0, otherThanLedgerAtStep: null, identityDifferences: [] },
    { run: 'gamma', checkpoint: null, stepsBefore: 0, otherThanLedgerAtStep: null, identityDifferences: [] },
  ]);
  expect(bisectionText(found)).toMatch(/^microbatch 0 +first +losses +\d of 4 +/m);
});

test('a setting of the optimiser shows in the state before the second step', async () => {
  await train('rate', 'spec.schedule.learningRate=0.02');
  const found = await bisect('one', 'rate');
  expect(found).toMatchObject({ place: 'state', step: 2, settings: ['spec.schedule.learningRate'] });
  // V is the same until the first V-step, and the first parameter comes next.
  expect(found.tensors.state!.first.tensor).toBe('conv1/kernel');
  expect(found.sentence).toMatch(/^the runs differ before step 2 already, in conv1\/kernel; settings/);
});

test('a run that another machine computed differently is told from the one that this machine computes', async () => {
  // Behind a V-step and a checkpoint, and one step further.
  await forge('forged', 5, foreign);
  // On two workers every microbatch is computed twice, and compared.
  const found = await bisect('forged', 'one', 2);
  expect(found).toMatchObject({
    place: 'workers',
    step: 6,
    position: { iteration: 2, epoch: 1, step: 2 },
    microbatch: null,
    tensors: { state: null, microbatch: null },
    // The copy has the checkpoints of the run that it was copied from.
    afterwards: { step: 6, tensors: null },
    sentence:
      'this machine computes the same bits for both runs: it computes the gradient that one has, so a worker of the other run, or its engine, computed another',
  });
  expect(found.replays).toMatchObject([
    { run: 'forged', otherThanLedgerAtStep: 6 },
    {
      run: 'one',
      otherThanLedgerAtStep: null,
      checkpoint: expect.stringMatching(/-step-0*5$/),
      stepsBefore: 0,
    },
  ]);
});

test('without checkpoints before the step it is computed from the beginning, V-step included', async () => {
  const copies = [await forge('bare', 5, {}), await forge('bare-forged', 5, foreign)];
  for (const copy of copies) rmSync(join(copy, 'checkpoints'), { recursive: true });
  const found = await bisect('bare', 'bare-forged');
  expect(found).toMatchObject({ place: 'workers', step: 6, tensors: { state: null } });
  expect(found.replays).toMatchObject([
    { checkpoint: null, stepsBefore: 5, otherThanLedgerAtStep: null, identityDifferences: null },
    { checkpoint: null, stepsBefore: 5, otherThanLedgerAtStep: 6, identityDifferences: null },
  ]);
});
