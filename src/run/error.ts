import { ExitCode, FcaenetError } from '../errors.js';

/**
 * A fault in a run file or a run directory. Codes: `RUN_FILE_MISSING`, `RUN_FILE_UNREADABLE`, `RUN_FILE_SYNTAX`,
 * `RUN_FIELD_UNKNOWN`, `RUN_FIELD_INVALID`, `RUN_FIELD_MISSING`, `RUN_OVERRIDE_SYNTAX`, `RUN_DOES_NOT_FIT_DATASET`,
 * `RUN_EXISTS`, `RUN_ABSENT`, `RUN_DIFFERS`, `RUN_LOCKED`, `RUN_DIRECTORY_UNUSABLE`, `RUN_RESULT_DAMAGED`,
 * `RUN_PICTURES_DAMAGED`, `RUN_TERM_DAMAGED`, `RUN_SPEED_UNREADABLE`, `RUN_SPEED_DIFFERS`.
 */
export class RunFileError extends FcaenetError {
  override readonly name = 'RunFileError';

  constructor(
    code: `RUN_${string}`,
    message: string,
    exitCode: ExitCode = ExitCode.badConfiguration,
    options?: { cause?: unknown },
  ) {
    super(code, message, exitCode, options);
  }
}
