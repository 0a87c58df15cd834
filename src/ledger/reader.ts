import { type Disk, disk } from '../disk/disk.js';
import { type LedgerHeader, type LedgerStep, readHeader, readStep } from './entry.js';
import { LedgerError } from './error.js';

/** A ledger whose chain is valid from its first line to the last requested line. */
export interface LedgerPrefix {
  readonly steps: readonly LedgerStep[];
  /** The chain's hash after each step; `hashes[0]` is the header's. */
  readonly hashes: readonly string[];
  /** The lines, header first. */
  readonly lines: readonly string[];
}

/** @throws LedgerError LEDGER_MISSING when it cannot be read */
export function readLedgerText(path: string, from: Disk = disk): Promise<string> {
  return from.readText(path).catch((cause: NodeJS.ErrnoException) => {
    throw new LedgerError('LEDGER_MISSING', `the ledger ${path} cannot be read (${cause.code})`, { cause });
  });
}

/**
 * Reads a ledger and checks its chain.
 * @param limit number of steps to read; later lines are ignored
 * @param from the file operations; for tests
 * @throws LedgerError LEDGER_MISSING, LEDGER_DAMAGED, or LEDGER_FOREIGN when the header is not the expected one
 */
export async function readLedger(
  path: string,
  expected: LedgerHeader,
  limit = Number.POSITIVE_INFINITY,
  from: Disk = disk,
): Promise<LedgerPrefix> {
  const lines = (await readLedgerText(path, from)).split('\n');
  // Every line ends with a newline, so the text after the last newline is empty or an incomplete line.
  const rest = lines.pop()!;
  if (rest !== '' && lines.length <= limit) {
    throw new LedgerError(
      'LEDGER_DAMAGED',
      `the ledger ${path} ends in the middle of line ${lines.length + 1}`,
    );
  }
  if (lines.length === 0) throw new LedgerError('LEDGER_DAMAGED', `the ledger ${path} is empty`);
  const { header, hash } = readHeader(lines[0]!);
  for (const field of ['trainingHash', 'datasetFingerprint', 'arithmeticVersion'] as const) {
    if (header[field] === expected[field]) continue;
    throw new LedgerError(
      'LEDGER_FOREIGN',
      `the ledger ${path} belongs to a run with ${field} ${header[field]}, expected ${expected[field]}`,
    );
  }
  const hashes = [hash];
  const steps: LedgerStep[] = [];
  const wanted = lines.slice(0, limit + 1);
  for (const line of wanted.slice(1)) {
    const read = readStep(line, hashes.at(-1)!, steps.length);
    steps.push(read.step);
    hashes.push(read.hash);
  }
  return { steps, hashes, lines: wanted };
}
