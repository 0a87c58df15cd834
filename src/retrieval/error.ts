import { ExitCode, FcaenetError } from '../errors.js';

/** Codes, labels or features that cannot be compared. `code` starts with `RETRIEVAL_`. */
export class RetrievalError extends FcaenetError {
  override readonly name = 'RetrievalError';

  constructor(code: `RETRIEVAL_${string}`, message: string) {
    super(code, message, ExitCode.badData);
  }
}

/** Throws `RETRIEVAL_SHAPE` unless `what` has `expected` elements. */
export function checkLength(what: string, actual: number, expected: number): void {
  if (actual !== expected) {
    throw new RetrievalError('RETRIEVAL_SHAPE', `${what} has ${actual} elements, expected ${expected}`);
  }
}
