import { type ExitCode, ExitCode as exit, FcaenetError } from '../errors.js';

export type EncodingErrorCode =
  | 'ENCODING_NO_PICTURES'
  | 'ENCODING_LIST_INVALID'
  | 'ENCODING_OUTPUT_EXISTS'
  | 'ENCODING_OUTPUT_UNUSABLE'
  | 'ENCODING_OTHER_WORK'
  | 'ENCODING_INTERRUPTED';

const exitCodes: Record<EncodingErrorCode, ExitCode> = {
  ENCODING_NO_PICTURES: exit.missingInput,
  ENCODING_LIST_INVALID: exit.missingInput,
  ENCODING_OUTPUT_EXISTS: exit.cannotCreate,
  ENCODING_OUTPUT_UNUSABLE: exit.cannotCreate,
  ENCODING_OTHER_WORK: exit.badData,
  ENCODING_INTERRUPTED: exit.interrupted,
};

/** Pictures that cannot be encoded, or codes that cannot be written. */
export class EncodingError extends FcaenetError {
  override readonly name = 'EncodingError';

  constructor(code: EncodingErrorCode, message: string, options?: { cause?: unknown }) {
    super(code, message, exitCodes[code], options);
  }
}
