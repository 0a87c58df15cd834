import { ExitCode, FcaenetError } from '../errors.js';

/** Features from which a method cannot learn. `code` starts with `METHOD_`. */
export class MethodError extends FcaenetError {
  override readonly name = 'MethodError';

  constructor(code: `METHOD_${string}`, message: string) {
    super(code, message, ExitCode.badData);
  }
}

/** Throws `METHOD_SHAPE` unless `what` has `expected` elements. */
export function checkLength(what: string, actual: number, expected: number): void {
  if (actual !== expected) {
    throw new MethodError('METHOD_SHAPE', `${what} has ${actual} elements, expected ${expected}`);
  }
}
