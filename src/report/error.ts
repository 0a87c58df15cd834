import { ExitCode, FcaenetError } from '../errors.js';

export type ReportErrorCode =
  | 'REPORT_NOTHING'
  | 'REPORT_NO_DATASET'
  | 'REPORT_INTERRUPTED'
  | 'REPORT_NOT_WRITTEN'
  | 'REPORT_TOO_LARGE';

const exitCodes: Record<ReportErrorCode, ExitCode> = {
  REPORT_NOTHING: ExitCode.missingInput,
  REPORT_NO_DATASET: ExitCode.missingInput,
  REPORT_INTERRUPTED: ExitCode.interrupted,
  REPORT_NOT_WRITTEN: ExitCode.cannotCreate,
  REPORT_TOO_LARGE: ExitCode.failed,
};

/** A report that cannot be made. */
export class ReportError extends FcaenetError {
  override readonly name = 'ReportError';

  constructor(code: ReportErrorCode, message: string, options?: { cause?: unknown }) {
    super(code, message, exitCodes[code], options);
  }
}
