import { readLedgerText } from '../../ledger/reader.js';
import { RunDirectory } from '../../run/run-directory.js';
import { trainingSettings } from '../../run/training-hash.js';
import { type RunContent, type RunDescription, readRunContent } from './describe-run.js';

/** A value of two runs; null when a run has none. */
export interface Pair<Value> {
  readonly first: Value | null;
  readonly second: Value | null;
}

/** Two runs side by side. */
export interface RunComparison {
  readonly runs: readonly [RunDescription, RunDescription];
  /** Training settings in which they differ, by path. */
  readonly settings: Readonly<Record<string, Pair<unknown>>>;
  /** Digests of the final weights and codes; of the images and labels. */
  readonly digests: Readonly<Record<'weightsSha256' | 'codesSha256' | 'dataset', Pair<string>>>;
  /** The first step whose summed gradients differ, counted from 1; null when all common steps are equal. */
  readonly partedAtStep: number | null;
  /** By iteration, counted from 1, wherever one of them was evaluated. */
  readonly mAP: readonly ({ readonly iteration: number } & Pair<number>)[];
}

/** Compares two run directories. Throws the errors of reading their run files. */
export async function compareRuns(first: string, second: string): Promise<RunComparison> {
  const [a, b] = await Promise.all([readRunContent(first), readRunContent(second)]);
  const [before, now] = [trainingSettings(a.run), trainingSettings(b.run)];
  const paths = Object.keys({ ...before, ...now }).filter(
    (path) => JSON.stringify(before[path]) !== JSON.stringify(now[path]),
  );
  const digest = (read: (content: RunContent) => string | undefined): Pair<string> => ({
    first: read(a) ?? null,
    second: read(b) ?? null,
  });
  const [left, right] = await Promise.all([gradientDigests(first), gradientDigests(second)]);
  const parted = left.findIndex((gradient, step) => step < right.length && gradient !== right[step]);
  const evaluated = new Set([...a.evaluations, ...b.evaluations].map(({ iteration }) => iteration));
  const mAPAt = ({ evaluations }: RunContent, wanted: number) =>
    evaluations.find(({ iteration }) => iteration === wanted)?.mAP ?? null;
  return {
    runs: [a.description, b.description],
    settings: Object.fromEntries(
      paths.map((path) => [path, { first: before[path] ?? null, second: now[path] ?? null }]),
    ),
    digests: {
      weightsSha256: digest(({ result }) => result?.weightsSha256),
      codesSha256: digest(({ result }) => result?.codesSha256),
      dataset: digest(({ result }) => result?.dataset.fingerprint),
    },
    partedAtStep: parted < 0 ? null : parted + 1,
    mAP: [...evaluated]
      .sort((x, y) => x - y)
      .map((iteration) => ({ iteration, first: mAPAt(a, iteration), second: mAPAt(b, iteration) })),
  };
}

/** For every step in a run's ledger, if there is one. Only the audit checks the ledger. */
async function gradientDigests(path: string): Promise<string[]> {
  const [file] = RunDirectory.at(path).ledgerFiles();
  const text = file === undefined ? '' : await readLedgerText(file);
  return [...text.matchAll(/"gradientSha256":"([0-9a-f]{64})"/g)].map((match) => match[1]!);
}
