import fc from 'fast-check';

/** The method's sums written out over the m × n similarity matrix: the twin of the class-sum forms. */

export interface Problem {
  readonly labels: Int32Array;
  readonly bits: number;
  readonly classCount: number;
  readonly omega: Int32Array;
  readonly u: Float32Array;
  readonly ratio: number;
  readonly gamma: number;
  readonly codes: Int8Array;
}

/** Problems of random sizes with γ = 0 and γ > 0; every class may be empty and rows are sampled without repetition. */
export const problems: fc.Arbitrary<Problem> = fc
  .record({
    n: fc.integer({ min: 2, max: 40 }),
    bits: fc.oneof(fc.integer({ min: 1, max: 64 }), fc.constantFrom(1, 2, 8, 9, 16, 31, 32, 33, 64)),
    classCount: fc.integer({ min: 1, max: 6 }),
    gamma: fc.constantFrom(0, 0.5, 200),
    ratio: fc.double({ min: 0.001, max: 2, noNaN: true }),
  })
  .chain(({ n, bits, classCount, gamma, ratio }) =>
    fc
      .record({
        labels: fc.array(fc.integer({ min: 0, max: classCount - 1 }), { minLength: n, maxLength: n }),
        omega: fc.shuffledSubarray(
          Array.from({ length: n }, (_, i) => i),
          { minLength: 1 },
        ),
        seed: fc.integer(),
      })
      .map(({ labels, omega, seed }) => {
        const next = generator(seed);
        return {
          labels: Int32Array.from(labels),
          bits,
          classCount,
          omega: Int32Array.from(omega),
          u: Float32Array.from({ length: omega.length * bits }, () => 2 * next() - 1),
          ratio,
          gamma,
          codes: Int8Array.from({ length: n * bits }, () => (next() < 0.5 ? -1 : 1)),
        };
      }),
  );

/** Numbers in [0, 1) from a seed (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let word = Math.imul(state ^ (state >>> 15), 1 | state);
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word;
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  };
}

function similarity(problem: Problem, i: number, j: number): number {
  return problem.labels[problem.omega[i]!] === problem.labels[j] ? 1 : -problem.ratio;
}

function dot(a: ArrayLike<number>, aRow: number, b: ArrayLike<number>, bRow: number, width: number): number {
  let sum = 0;
  for (let k = 0; k < width; k++) sum += a[aRow * width + k]! * b[bRow * width + k]!;
  return sum;
}

/** Both sums of the objective and their gradient with respect to u, not divided by anything. */
export function denseSums(problem: Problem): {
  similarity: number;
  quantisation: number;
  gradient: Float64Array;
} {
  const { labels, bits, omega, u, gamma, codes } = problem;
  const gradient = new Float64Array(u.length);
  let similaritySum = 0;
  let quantisation = 0;
  for (let i = 0; i < omega.length; i++) {
    for (let j = 0; j < labels.length; j++) {
      const residual = dot(u, i, codes, j, bits) - bits * similarity(problem, i, j);
      similaritySum += residual * residual;
      for (let k = 0; k < bits; k++) gradient[i * bits + k]! += 2 * residual * codes[j * bits + k]!;
    }
    for (let k = 0; k < bits; k++) {
      const residual = u[i * bits + k]! - codes[omega[i]! * bits + k]!;
      quantisation += gamma * residual * residual;
      gradient[i * bits + k]! += 2 * gamma * residual;
    }
  }
  return { similarity: similaritySum, quantisation, gradient };
}

/**
 * The sweep (17) in the signs of the official code: V_k = −sign(2 V_rest U_restᵀU_k + Q_k), Q = −2c SᵀU − 2γŪ.
 * Returns the codes and, for every bit, the argument's magnitude.
 */
export function denseSweep(problem: Problem): { codes: Int8Array; arguments: Float64Array } {
  const { labels, bits, omega, u, gamma } = problem;
  const codes = problem.codes.slice();
  const magnitudes = new Float64Array(codes.length);
  for (let k = 0; k < bits; k++) {
    for (let j = 0; j < labels.length; j++) {
      let argument = 0;
      for (let i = 0; i < omega.length; i++) {
        const uk = u[i * bits + k]!;
        const rest = dot(u, i, codes, j, bits) - uk * codes[j * bits + k]!;
        argument += 2 * rest * uk - 2 * bits * similarity(problem, i, j) * uk;
        if (omega[i] === j) argument -= 2 * gamma * uk;
      }
      codes[j * bits + k] = argument > 0 ? -1 : 1;
      magnitudes[j * bits + k] = Math.abs(argument);
    }
  }
  return { codes, arguments: magnitudes };
}
