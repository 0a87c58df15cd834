import { ExitCode, FcaenetError } from '../errors.js';

/** Codes, labels or outputs whose shapes or values do not match. `code` starts with `HASHING_`. */
export class HashingError extends FcaenetError {
  override readonly name = 'HashingError';

  constructor(code: `HASHING_${string}`, message: string) {
    super(code, message, ExitCode.badData);
  }
}

/** Throws `HASHING_SHAPE` unless `what` has `expected` elements. */
export function checkLength(what: string, actual: number, expected: number): void {
  if (actual !== expected) {
    throw new HashingError('HASHING_SHAPE', `${what} has ${actual} elements, expected ${expected}`);
  }
}

/** Throws `HASHING_BITS` unless `bits` is an integer in 1..64. */
export function checkBits(bits: number): void {
  if (!Number.isInteger(bits) || bits < 1 || bits > 64) {
    throw new HashingError('HASHING_BITS', `code length is ${bits}, expected an integer from 1 to 64`);
  }
}

/** Throws `HASHING_LABEL` unless every label is in 0..classCount-1. */
export function checkLabels(labels: Int32Array, classCount: number): void {
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!;
    if (label < 0 || label >= classCount) {
      throw new HashingError(
        'HASHING_LABEL',
        `label ${label} of row ${i} is not a class in 0..${classCount - 1}`,
      );
    }
  }
}
