import { expect } from 'vitest';
import { runCommandLine } from './command-line.js';
import { type SmallRun, smallRun } from './small-run.js';

/** What is equal in runs of the same bits. */
export interface Digests {
  readonly weightsSha256: string;
  readonly codesSha256: string;
}

/** The small run as `one`, by one worker, whose bits other runs of it must have. */
export class ReferenceRun {
  private constructor(
    readonly small: SmallRun,
    readonly digests: Digests,
  ) {}

  static async make(): Promise<ReferenceRun> {
    const small = await smallRun();
    const { exitCode, stderr } = await runCommandLine(trainAs(small, 'one', '--workers', '1'), {
      cwd: small.folder,
    });
    expect([exitCode, stderr]).toEqual([0, '']);
    return new ReferenceRun(small, await digestsIn(small, 'one'));
  }

  /** Arguments of the command line for the same run under another name. */
  train(name: string, ...flags: string[]): string[] {
    return trainAs(this.small, name, ...flags);
  }

  digestsOf(name: string): Promise<Digests> {
    return digestsIn(this.small, name);
  }

  remove(): Promise<void> {
    return this.small.remove();
  }
}

function trainAs({ runFile }: SmallRun, name: string, ...flags: string[]): string[] {
  return ['train', runFile, '--set', `metadata.name=${name}`, ...flags];
}

async function digestsIn(small: SmallRun, name: string): Promise<Digests> {
  const { weightsSha256, codesSha256 } = await small.result(name);
  return { weightsSha256, codesSha256 };
}
