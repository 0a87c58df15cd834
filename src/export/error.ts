import { ExitCode, FcaenetError } from '../errors.js';

/** A run that cannot be exported, or an output that cannot be written. `code` starts with `EXPORT_`. */
export class ExportError extends FcaenetError {
  override readonly name = 'ExportError';

  constructor(code: `EXPORT_${string}`, message: string, options?: { exitCode?: ExitCode; cause?: unknown }) {
    super(code, message, options?.exitCode ?? ExitCode.badData, { cause: options?.cause });
  }
}
