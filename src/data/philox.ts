/**
 * Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a bijection of 128-bit
 * counters selected by a 64-bit key. Any number of the sequence can be computed without the earlier ones.
 */

const multiplier0 = 0xd2511f53;
const multiplier1 = 0xcd9e8d57;
const weyl0 = 0x9e3779b9;
const weyl1 = 0xbb67ae85;
const roundCount = 10;

/** The high 32 bits of the 64-bit product of two unsigned 32-bit words, by 16-bit halves (each sum stays below 2^32). */
function multiplyHigh(left: number, right: number): number {
  const leftLow = left & 0xffff;
  const leftHigh = left >>> 16;
  const rightLow = right & 0xffff;
  const rightHigh = right >>> 16;
  const middle = leftHigh * rightLow + ((leftLow * rightLow) >>> 16);
  const carry = leftLow * rightHigh + (middle & 0xffff);
  return (leftHigh * rightHigh + (middle >>> 16) + (carry >>> 16)) >>> 0;
}

/**
 * Encrypts one counter.
 *
 * @param target receives the four unsigned 32-bit words of the block
 */
export function philox4x32(
  counter0: number,
  counter1: number,
  counter2: number,
  counter3: number,
  key0: number,
  key1: number,
  target: Uint32Array,
): void {
  let word0 = counter0 >>> 0;
  let word1 = counter1 >>> 0;
  let word2 = counter2 >>> 0;
  let word3 = counter3 >>> 0;
  let roundKey0 = key0 >>> 0;
  let roundKey1 = key1 >>> 0;
  for (let round = 0; round < roundCount; round += 1) {
    const high0 = multiplyHigh(multiplier0, word0);
    const low0 = Math.imul(multiplier0, word0);
    const high1 = multiplyHigh(multiplier1, word2);
    const low1 = Math.imul(multiplier1, word2);
    word0 = (high1 ^ word1 ^ roundKey0) >>> 0;
    word1 = low1 >>> 0;
    word2 = (high0 ^ word3 ^ roundKey1) >>> 0;
    word3 = low0 >>> 0;
    roundKey0 = (roundKey0 + weyl0) >>> 0;
    roundKey1 = (roundKey1 + weyl1) >>> 0;
  }
  target[0] = word0;
  target[1] = word1;
  target[2] = word2;
  target[3] = word3;
}
