import { randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ExitCode } from '../errors.js';
import { syncDirectorySync } from './atomic-file.js';
import { RunFileError } from './error.js';
import { parseJson } from './parse-json.js';
import { namesIn } from './presence.js';

/** What a coordinator found when it was granted its term. Whatever else lower terms write came too late. */
export interface Grant {
  readonly term: number;
  /** ISO 8601. */
  readonly granted: string;
  /** Names of the checkpoints that were there. */
  readonly checkpoints: readonly string[];
  /** Whether `result.json` was there. */
  readonly finished: boolean;
}

const namePattern = /^\d{6,}$/;

/**
 * The leaderships of a run, one file each, `terms/000001` and so on. A file is created once, with its whole content,
 * and never changed: of two coordinators that ask at the same time each gets a term of its own, and one that wakes
 * after a long pause can take back nothing.
 */
export class Terms {
  constructor(private readonly directory: string) {}

  /**
   * Grants a term higher than any before it, and higher than `above`.
   * @param found what is there at this moment; read before the grant, so that nothing later counts
   */
  grant(found: Omit<Grant, 'term' | 'granted'>, above: number): number {
    mkdirSync(this.directory, { recursive: true });
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
   * Whether a checkpoint of `term` belongs to the run: no higher term was granted, or the first of them found it there.
   */
  acceptsCheckpoint(term: number, name: string): boolean {
    return this.successorOf(term)?.checkpoints.includes(name) ?? true;
  }

  /** The same of a result. */
  acceptsResult(term: number): boolean {
    return this.successorOf(term)?.finished ?? true;
  }

  private successorOf(term: number): Grant | null {
    const higher = this.list().filter((each) => each > term);
    if (higher.length === 0) return null;
    const path = this.pathOf(Math.min(...higher));
    const grant = parseJson(readFileSync(path, 'utf8')) as Partial<Grant> | null;
    if (!Array.isArray(grant?.checkpoints)) {
      throw new RunFileError(
        'RUN_TERM_DAMAGED',
        `the term ${path} is damaged: it must be JSON that lists the checkpoints that were there`,
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
