import { ExitCode, FcaenetError } from '../errors.js';

/** A file operation that was given up because it did not answer. */
export class DiskError extends FcaenetError {
  override readonly name = 'DiskError';

  /** @param seconds for how long it was awaited */
  constructor(operation: string, file: string, seconds: number) {
    super(
      'DISK_NO_ANSWER',
      `${operation} of ${file} did not answer within ${seconds} s`,
      // Another process may find the disk well.
      ExitCode.failed,
    );
  }
}
