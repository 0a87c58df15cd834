import { randomUUID } from 'node:crypto';
import { linkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolderSync } from '../disk/folders.js';
import { InputFileFault, readInputFile } from '../disk/input-file.js';
import { ExitCode } from '../errors.js';
import { syncDirectorySync } from './atomic-file.js';
import { RunFileError } from './error.js';
import { parseJson } from './parse-json.js';
import { namesIn } from './presence.js';

/** What existed when a coordinator was granted its term. Anything that lower terms write later does not count. */
export interface Grant {
  readonly term: number;
  /** ISO 8601. */
  readonly granted: string;
  /** Names of the existing checkpoints. */
  readonly checkpoints: readonly string[];
  /** Whether `result.json` existed. */
  readonly finished: boolean;
}

const largestFileBytes = 1 << 20;
const namePattern = /^\d{6,}$/;

/**
 * The leadership terms of a run, one file each, `terms/000001` and so on. A file is created once, with its whole
 * content, and never changed. So of two coordinators that ask at the same time each gets its own term, and an old one
 * that wakes up cannot undo anything.
 */
export class Terms {
  constructor(private readonly directory: string) {}

  /**
   * Grants a term higher than every earlier one, and higher than `above`.
   * @param found what exists now; read before the grant, so that nothing later counts
   */
  grant(found: Omit<Grant, 'term' | 'granted'>, above: number): number {
    makeFolderSync(this.directory);
    for (let term = Math.max(this.highest(), above) + 1; ; term++) {
      const grant: Grant = { term, granted: new Date().toISOString(), ...found };
      if (this.create(term, `${JSON.stringify(grant)}\n`)) return term;
    }
  }

  /** The highest term granted so far; 0 before the first. */
  highest(): number {
    return Math.max(0, ...this.list());
  }

  /**
   * Whether a checkpoint of `term` belongs to the run: no higher term was granted, or the checkpoint existed when the
   * first higher term was granted.
   */
  acceptsCheckpoint(term: number, name: string): boolean {
    return this.successorOf(term)?.checkpoints.includes(name) ?? true;
  }

  /** The same for a result. */
  acceptsResult(term: number): boolean {
    return this.successorOf(term)?.finished ?? true;
  }

  private successorOf(term: number): Grant | null {
    const higher = this.list().filter((each) => each > term);
    if (higher.length === 0) return null;
    const path = this.pathOf(Math.min(...higher));
    const grant = grantIn(path);
    if (!Array.isArray(grant?.checkpoints)) {
      throw new RunFileError(
        'RUN_TERM_DAMAGED',
        `the term ${path} is damaged: it must be JSON that lists the existing checkpoints`,
        ExitCode.badData,
      );
    }
    return grant as Grant;
  }

  private list(): number[] {
    return namesIn(this.directory)
      .filter((name) => namePattern.test(name))
      .map(Number);
  }

  private create(term: number, content: string): boolean {
    const temporary = join(this.directory, `${randomUUID()}.tmp`);
    writeFileSync(temporary, content, { flush: true });
    try {
      linkSync(temporary, this.pathOf(term));
      syncDirectorySync(this.directory);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    } finally {
      rmSync(temporary, { force: true });
    }
  }

  private pathOf(term: number): string {
    return join(this.directory, String(term).padStart(6, '0'));
  }
}

/** The content of a term's file; undefined when it is not JSON. */
function grantIn(path: string): Partial<Grant> | null | undefined {
  try {
    return parseJson(readInputFile(path, largestFileBytes).toString('utf8')) as Partial<Grant> | null;
  } catch (error) {
    if (error instanceof InputFileFault) return undefined;
    throw error;
  }
}
