import { ExitCode, FcaenetError } from '../errors.js';

/** A file operation that was given up because it did not answer. */
export class DiskError extends FcaenetError {
  override readonly name = 'DiskError';

  /** @param seconds the time that it was awaited */
  constructor(operation: string, file: string, seconds: number) {
    super(
      'DISK_NO_ANSWER',
      `${operation} of ${file} did not answer within ${seconds} s`,
      // The disk may answer another process.
      ExitCode.failed,
    );
  }
}
