import { checkBits, checkLength } from './error.js';

/**
 * Moves the codes of classes apart: from a start, bit after bit, to the nearest minimum of
 *
 *     Σ_{y ≠ z} (b_y·b_z + c r)²,  r = 1 / (classes − 1)
 *
 * which is the objective of ADSH (method 10) where all images of a class have its code, as U and in V, and all classes
 * are of one size. Two classes with equal codes would stay equal: the loss and the V-step move both alike. Every number
 * is an integer below 2^53, so all machines give the same bits.
 * @param start ±1 `[classes, bits]`, not changed
 * @returns ±1 `[classes, bits]`
 */
export function separateCodes(start: Int8Array, bits: number): Int8Array<ArrayBuffer> {
  checkBits(bits);
  const classes = Math.floor(start.length / bits);
  checkLength('a matrix of class codes', start.length, classes * bits);
  const codes = Int8Array.from(start);
  let hasChanged = classes > 1;
  while (hasChanged) {
    hasChanged = false;
    for (let own = 0; own < classes; own++) {
      if (separateOne(codes, own, bits)) hasChanged = true;
    }
  }
  return codes;
}

/**
 * One sweep over the bits of one class. A bit changes where that makes the objective smaller: with x_z = b_yk b_zk, it
 * changes by Σ_z ((b_y·b_z + c r − 2 x_z)² − (b_y·b_z + c r)²) = 4 Σ_z (1 − x_z (b_y·b_z + c r)).
 * @returns whether a bit changed
 */
function separateOne(codes: Int8Array, own: number, bits: number): boolean {
  const classes = codes.length / bits;
  const row = codes.subarray(own * bits, (own + 1) * bits);
  const products = new Int32Array(classes);
  for (let other = 0; other < classes; other++) {
    for (let k = 0; k < bits; k++) products[other]! += row[k]! * codes[other * bits + k]!;
  }
  let hasChanged = false;
  for (let k = 0; k < bits; k++) {
    // Times classes − 1, so that c r is an integer.
    let sum = 0;
    for (let other = 0; other < classes; other++) {
      if (other === own) continue;
      sum += row[k]! * codes[other * bits + k]! * (products[other]! * (classes - 1) + bits);
    }
    if (sum <= (classes - 1) ** 2) continue;
    for (let other = 0; other < classes; other++) {
      products[other]! -= 2 * row[k]! * codes[other * bits + k]!;
    }
    row[k] = -row[k]!;
    hasChanged = true;
  }
  return hasChanged;
}
