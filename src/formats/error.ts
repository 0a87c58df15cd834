import { ExitCode, FcaenetError } from '../errors.js';

/** A file of another program, or of an export, that cannot be used. `code` starts with `FORMAT_`. */
export class FormatError extends FcaenetError {
  override readonly name = 'FormatError';

  constructor(code: `FORMAT_${string}`, message: string) {
    super(code, message, ExitCode.badData);
  }
}
