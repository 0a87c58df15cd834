import { ExitCode, FcaenetError } from '../errors.js';

/** An invalid model description, weights that do not match it, or inputs of the wrong size. */
export class ModelError extends FcaenetError {
  override readonly name = 'ModelError';

  constructor(
    code: `MODEL_${string}`,
    message: string,
    options?: { exitCode?: ExitCode | undefined; cause?: unknown },
  ) {
    super(code, message, options?.exitCode ?? ExitCode.badData, { cause: options?.cause });
  }
}

/** Throws `MODEL_SHAPE` unless `what` has `expected` elements. */
export function checkElements(what: string, actual: number, expected: number): void {
  if (actual !== expected) {
    throw new ModelError('MODEL_SHAPE', `${what} has ${actual} elements, expected ${expected}`);
  }
}
