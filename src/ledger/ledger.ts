import { createHash } from 'node:crypto';
import { renameDurably, writeDurably } from '../checkpoint/durable.js';
import { Disk, type OpenFile } from '../disk/disk.js';
import { DiskError } from '../disk/error.js';
import { bytesOf } from '../transport/bytes.js';
import { chainStart, type LedgerHeader, type LedgerStep, ledgerLine, short } from './entry.js';
import { LedgerError } from './error.js';
import { readLedger } from './reader.js';

/** How long the file may take to answer, in seconds; then the run ends, and goes on from its last checkpoint. */
const patienceSeconds = 600;
/** Text kept in memory before it is written. */
const bufferCharacters = 1 << 16;

/** Where a checkpoint stands in the ledger. */
export interface LedgerPosition {
  /** Steps before it. */
  readonly steps: number;
  /** The chain's hash there. */
  readonly hash: string;
}

/** A ledger's lines up to some position, and the chain's hash there. */
export interface LedgerBeginning {
  readonly lines: readonly string[];
  readonly hash: string;
}

/**
 * The record of every step that was applied, one chained JSON line each. It never lags a checkpoint, because `sync`
 * comes before a checkpoint is published; it may run ahead of one, and what a killed process wrote ahead is cut off
 * when the run goes on.
 */
export class Ledger {
  private buffer = '';
  private writing: Promise<void> = Promise.resolve();

  private constructor(
    private readonly path: string,
    private readonly file: OpenFile,
    /** The chain's hash after everything that was recorded so far. */
    private hash: string,
  ) {}

  /**
   * Begins a term's ledger, with the lines up to a checkpoint's position of the ledger before it. Each term has a file of
   * its own, so that a coordinator that was believed dead goes on writing to a file that nobody reads.
   * @param path the term's file
   * @param earlier ledgers of lower terms, the highest first; removed once this one is durable
   * @param beginning null at the beginning of a run
   * @param disk what it is written through; for tests
   * @throws LedgerError LEDGER_WRITE
   */
  static async open(
    path: string,
    earlier: readonly string[],
    header: LedgerHeader,
    beginning: LedgerBeginning | null,
    disk = new Disk(patienceSeconds),
  ): Promise<Ledger> {
    const { lines, hash } = beginning ?? emptyLedger(header);
    const temporary = `${path}.tmp`;
    try {
      await disk.remove(temporary);
      await writeDurably(disk, temporary, [Buffer.from(lines.map((line) => `${line}\n`).join(''))]);
      await renameDurably(disk, temporary, path);
      const file = await disk.open(path, 'a');
      for (const old of earlier) await disk.remove(old);
      return new Ledger(path, file, hash);
    } catch (error) {
      throw writeError(path, error);
    }
  }

  /**
   * Records a step; a `sync` that is called from now on includes it. Resolves when the step before it is on its way to
   * the file. The digest is computed at once: to hand the gradient to another thread would be to copy it, which takes
   * longer.
   * @param gradient the summed gradient `[parameters]`, free to change once this was called
   * @throws LedgerError LEDGER_WRITE when an earlier line could not be written
   */
  async record(step: Omit<LedgerStep, 'gradientSha256'>, gradient: Float32Array): Promise<void> {
    const gradientSha256 = createHash('sha256').update(bytesOf(gradient)).digest('hex');
    const { text, hash } = ledgerLine({ ...step, gradientSha256 }, this.hash);
    this.hash = hash;
    this.buffer += `${text}\n`;
    if (this.buffer.length >= bufferCharacters) void this.flush();
    await this.writing;
  }

  /**
   * Makes everything recorded so far durable.
   * @returns the chain's hash there, for the checkpoint that follows
   * @throws LedgerError LEDGER_WRITE
   */
  async sync(): Promise<string> {
    const { hash } = this;
    await this.flush();
    await this.file.sync().catch((error) => {
      throw writeError(this.path, error);
    });
    return hash;
  }

  /** Closes the file; what was not synced may be lost. */
  async close(): Promise<void> {
    await this.writing.catch(() => {});
    await this.file.close();
  }

  private flush(): Promise<void> {
    const text = this.buffer;
    this.buffer = '';
    this.writing = this.writing.then(() =>
      text === ''
        ? undefined
        : this.file.append(text).catch((error) => {
            throw writeError(this.path, error);
          }),
    );
    // Thrown by whoever waits next; until then it must not count as unhandled.
    this.writing.catch(() => {});
    return this.writing;
  }
}

function emptyLedger(header: LedgerHeader): LedgerBeginning {
  const { text, hash } = ledgerLine(header, chainStart);
  return { lines: [text], hash };
}

/**
 * What the ledgers of a run hold up to a checkpoint's position, of the first that leads there.
 * @param paths the ledger of the highest term first
 * @throws LedgerError where none leads to that position, what is wrong with the first
 */
export async function readLedgerUpTo(
  paths: readonly string[],
  header: LedgerHeader,
  position: LedgerPosition,
): Promise<LedgerBeginning> {
  if (position.steps === 0) return emptyLedger(header);
  const reasons: unknown[] = [];
  for (const path of paths) {
    try {
      return await readOneUpTo(path, header, position);
    } catch (error) {
      reasons.push(error);
    }
  }
  throw (
    reasons[0] ??
    new LedgerError(
      'LEDGER_MISSING',
      `there is no ledger, but the checkpoint was written after step ${position.steps}`,
    )
  );
}

async function readOneUpTo(
  path: string,
  header: LedgerHeader,
  { steps, hash }: LedgerPosition,
): Promise<LedgerBeginning> {
  const { lines, hashes } = await readLedger(path, header, steps);
  const found = hashes[steps];
  if (found === undefined) {
    throw new LedgerError(
      'LEDGER_MISMATCH',
      `the ledger ${path} ends after step ${hashes.length - 1}, but the checkpoint was written after step ${steps}`,
    );
  }
  if (found !== hash) {
    throw new LedgerError(
      'LEDGER_MISMATCH',
      `the ledger ${path} has hash ${short(found)} after step ${steps}, but the checkpoint was written at ${short(hash)}`,
    );
  }
  return { lines, hash };
}

function writeError(path: string, cause: unknown): LedgerError {
  const isUnanswered = cause instanceof DiskError;
  const reason = isUnanswered ? cause.message : ((cause as NodeJS.ErrnoException).code ?? String(cause));
  return new LedgerError('LEDGER_WRITE', `the ledger ${path} cannot be written (${reason})`, {
    cause,
    ...(isUnanswered ? { exitCode: cause.exitCode } : {}),
  });
}
