import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Bisection } from '../../src/inspection/bisect/bisect.js';
import { chainStart, type LedgerStep, ledgerLine, readHeader } from '../../src/ledger/entry.js';
import { readLedger } from '../../src/ledger/reader.js';
import { runCommandLine } from './command-line.js';
import { type SmallRun, smallRun } from './small-run.js';

/** Two iterations of two epochs of two steps. */
const short = [
  'spec.schedule.iterations=2',
  'spec.schedule.decayAfter=[]',
  'spec.operation.evaluation.every=2',
];
async function train(small: SmallRun, name: string, ...settings: string[]): Promise<void> {
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
async function bisect(small: SmallRun, first: string, second: string, workers = 1): Promise<Bisection> {
  const { exitCode, stderr, lines } = await runCommandLine(
    ['runs', 'compare', '--bisect', '--workers', String(workers), `runs/${first}`, `runs/${second}`],
    { cwd: small.folder },
  );
  expect([exitCode, stderr]).toEqual([0, '']);
  return lines.find(({ message }) => message === 'runs bisected') as unknown as Bisection;
}

/** What a ledger has of a gradient that no machine computes. */
export const foreign = { gradientSha256: '0'.repeat(64) };

/** A copy of the first run whose ledger says something else of one step, its chain whole. */
async function forge(
  small: SmallRun,
  name: string,
  globalStep: number,
  other: Partial<LedgerStep>,
): Promise<string> {
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

/** A project folder with the run `one`, and what is done to compare others with it. */
export interface BisectedRuns {
  readonly folder: string;
  train(name: string, ...settings: string[]): Promise<void>;
  bisect(first: string, second: string, workers?: number): Promise<Bisection>;
  forge(name: string, globalStep: number, other: Partial<LedgerStep>): Promise<string>;
  remove(): Promise<void>;
}

export async function bisectedRuns(): Promise<BisectedRuns> {
  const small = await smallRun();
  await train(small, 'one');
  return {
    folder: small.folder,
    train: (...args) => train(small, ...args),
    bisect: (...args) => bisect(small, ...args),
    forge: (...args) => forge(small, ...args),
    remove: () => small.remove(),
  };
}
