import { ExitCode, FcaenetError } from '../errors.js';

/** A checkpoint or tensor file that cannot be written, read or used. `code` starts with `CHECKPOINT_`. */
export class CheckpointError extends FcaenetError {
  override readonly name = 'CheckpointError';

  constructor(
    code: `CHECKPOINT_${string}`,
    message: string,
    options?: { exitCode?: ExitCode; cause?: unknown },
  ) {
    super(code, message, options?.exitCode ?? ExitCode.badData, { cause: options?.cause });
  }
}

/** The message of any thrown value. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
