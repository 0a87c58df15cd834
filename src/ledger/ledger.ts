import { type Disk, type DiskOf, diskWithPatience, type OpenFile } from '../disk/disk.js';
import { DiskError } from '../disk/error.js';
import { renameDurably, writePieces } from '../disk/whole-file.js';
import { shortDigest } from '../errors.js';
import { chainStart, type LedgerHeader, type LedgerStep, ledgerLine } from './entry.js';
import { LedgerError } from './error.js';
import { readLedger } from './reader.js';

/** Time limit of a file operation, in seconds. After it the run ends, and can be resumed from its last checkpoint. */
const patienceSeconds = 600;
/** Characters kept in memory before they are written. */
const bufferCharacters = 1 << 16;

/** A checkpoint's position in the ledger. */
export interface LedgerPosition {
  /** Number of steps before it. */
  readonly steps: number;
  /** The chain's hash at this position. */
  readonly hash: string;
}

/** A ledger's lines up to a position, and the chain's hash there. */
export interface LedgerBeginning {
  readonly lines: readonly string[];
  readonly hash: string;
}

/**
 * The record of every applied step, one chained JSON line each. It is never behind a checkpoint, because `sync` comes
 * before a checkpoint is published. It may be ahead of the checkpoint: lines that a killed process wrote after it are
 * removed when the run is resumed.
 */
export class Ledger {
  private buffer = '';
  private writing: Promise<void> = Promise.resolve();

  private constructor(
    private readonly path: string,
    private readonly file: OpenFile,
    /** The chain's hash after all recorded steps. */
    private hash: string,
  ) {}

  /**
   * Starts a term's ledger with the previous ledger's lines up to a checkpoint's position. Each term has its own file,
   * so that an old coordinator that still runs writes to a file that nobody reads.
   * @param path the term's file
   * @param earlier ledgers of lower terms, the highest first; removed when this one is durable
   * @param beginning null at the start of a run
   * @param diskOf file operations with a time limit; for tests
   * @throws LedgerError LEDGER_WRITE
   */
  static async open(
    path: string,
    earlier: readonly string[],
    header: LedgerHeader,
    beginning: LedgerBeginning | null,
    diskOf: DiskOf = diskWithPatience,
  ): Promise<Ledger> {
    const { lines, hash } = beginning ?? emptyLedger(header);
    const disk = diskOf(patienceSeconds);
    const temporary = `${path}.tmp`;
    try {
      await disk.remove(temporary);
      await writePieces(disk, temporary, [Buffer.from(lines.map((line) => `${line}\n`).join(''))], 'wx');
      await renameDurably(disk, temporary, path);
      const file = await disk.open(path, 'a');
      try {
        for (const old of earlier) await disk.remove(old);
      } catch (error) {
        await file.close();
        throw error;
      }
      return new Ledger(path, file, hash);
    } catch (error) {
      throw writeError(path, error);
    }
  }

  /**
   * Records a step. A later `sync` includes it. Resolves when the previous step is on its way to the file.
   * @throws LedgerError LEDGER_WRITE when an earlier line could not be written
   */
  async record(step: LedgerStep): Promise<void> {
    const { text, hash } = ledgerLine(step, this.hash);
    this.hash = hash;
    this.buffer += `${text}\n`;
    if (this.buffer.length >= bufferCharacters) void this.flush();
    await this.writing;
  }

  /**
   * Makes all recorded steps durable.
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

  /** Closes the file. Steps after the last `sync` may be lost. */
  async close(): Promise<void> {
    await this.writing.catch(() => {});
    await this.file.close();
  }

  private flush(): Promise<void> {
    const text = this.buffer;
    this.buffer = '';
    this.writing = this.writing.then(() =>
      this.file.append(text).catch((error) => {
        throw writeError(this.path, error);
      }),
    );
    // The next caller that waits throws it. Until then it must not count as unhandled.
    this.writing.catch(() => {});
    return this.writing;
  }
}

function emptyLedger(header: LedgerHeader): LedgerBeginning {
  const { text, hash } = ledgerLine(header, chainStart);
  return { lines: [text], hash };
}

/**
 * Reads a run's ledger lines up to a checkpoint's position, from the first ledger that leads there.
 * @param paths the ledger of the highest term first
 * @param from the file operations
 * @throws LedgerError when no ledger leads to that position: the fault of the first one
 */
export async function readLedgerUpTo(
  paths: readonly string[],
  header: LedgerHeader,
  position: LedgerPosition,
  from: Disk,
): Promise<LedgerBeginning> {
  if (position.steps === 0) return emptyLedger(header);
  const reasons: unknown[] = [];
  for (const path of paths) {
    try {
      return await readOneUpTo(path, header, position, from);
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
  from: Disk,
): Promise<LedgerBeginning> {
  const { lines, hashes } = await readLedger(path, header, steps, from);
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
      `the ledger ${path} has hash ${shortDigest(found)} after step ${steps}, but the checkpoint was written at ${shortDigest(hash)}`,
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
