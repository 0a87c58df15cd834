import { type ExitCode, ExitCode as exit, FcaenetError } from '../errors.js';

export type ServingErrorCode =
  | 'SERVING_PLAIN_TEXT_REFUSED'
  | 'SERVING_TOKEN_MISSING'
  | 'SERVING_CANNOT_LISTEN';

const exitCodes: Record<ServingErrorCode, ExitCode> = {
  SERVING_PLAIN_TEXT_REFUSED: exit.badConfiguration,
  SERVING_TOKEN_MISSING: exit.badConfiguration,
  SERVING_CANNOT_LISTEN: exit.unavailable,
};

/** A server that cannot start. */
export class ServingError extends FcaenetError {
  override readonly name = 'ServingError';

  constructor(code: ServingErrorCode, message: string, options?: { cause?: unknown }) {
    super(code, message, exitCodes[code], options);
  }
}
