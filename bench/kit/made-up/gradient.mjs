// The gradient that made-up members send. Every element is a share times a power of two, so that sums are exact, also in
// bfloat16: the sum over a batch is the same for any number of microbatches and members.

/** Elements after which the values repeat; a prime, so that they do not repeat at the ends of chunks. */
const period = 1021;

/**
 * @param {Float32Array} gradient `[parameters]`, is filled
 * @param {number} share rows that it is of, divided by the batch's rows
 */
export function fillGradient(gradient, share) {
  const begun = Math.min(period, gradient.length);
  for (let i = 0; i < begun; i++) gradient[i] = share * 2 ** -(20 + (i % 13));
  for (let filled = begun; filled < gradient.length; filled *= 2) gradient.copyWithin(filled, 0, filled);
}
