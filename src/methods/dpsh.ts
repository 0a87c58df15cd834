import { overPairs, type PairLoss, type TrainedMethod } from './method.js';
import { likelihood } from './pair-likelihood.js';

/**
 * Deep pairwise-supervised hashing (Li, Wang and Kang, 2016): the negative log likelihood of the pairs, with
 * p(sᵢⱼ = 1) = σ(Θᵢⱼ), Θᵢⱼ = ½ uᵢ·uⱼ, and η times the squared distance of outputs to their signs. The outputs u are
 * values of the hash layer without tanh. i runs over the batch and j over all n training images, whose outputs are
 * those of the step that saw them last, or 0. They are constant, as in the authors' program:
 *
 *     [Σᵢⱼ (log(1 + e^Θᵢⱼ) − sᵢⱼ Θᵢⱼ) + η Σᵢ |sign(uᵢ) − uᵢ|²] / (rows · n)
 *     ∂/∂uᵢ = [½ Σⱼ (σ(Θᵢⱼ) − sᵢⱼ) uⱼ + 2η (uᵢ − sign(uᵢ))] / (rows · n)
 */
const loss: PairLoss = {
  storesOutputs: true,

  compute({ outputs, images, labels, bits, stored, settings }) {
    const { eta } = settings.dpsh;
    const scale = 1 / (images.length * labels.length);
    const others = Float64Array.from(stored!);
    const gradient = new Float64Array(outputs.length);
    let similarity = 0;
    let quantisation = 0;
    images.forEach((image, row) => {
      const own = Float64Array.from(outputs.subarray(row * bits, (row + 1) * bits));
      const slopes = gradient.subarray(row * bits, (row + 1) * bits);
      similarity += addPairs(own, others, labels, labels[image]!, slopes);
      own.forEach((value, k) => {
        const residual = value - (value >= 0 ? 1 : -1);
        quantisation += eta * residual * residual;
        slopes[k] = scale * (slopes[k]! + 2 * eta * residual);
      });
    });
    return { similarity: scale * similarity, quantisation: scale * quantisation, gradient };
  },
};

/**
 * The negative log likelihood of the pairs of one image with all others. Adds its derivatives by the image's output.
 * This is nearly all of a step's time in the coordinator.
 * @param own the image's output `[bits]`
 * @param others outputs `[n, bits]` and their classes `[n]`
 */
function addPairs(
  own: Float64Array,
  others: Float64Array,
  labels: Int32Array,
  label: number,
  slopes: Float64Array,
): number {
  const bits = own.length;
  let sum = 0;
  for (let other = 0, base = 0; other < labels.length; other++, base += bits) {
    // Two sums do not wait for one another.
    let [even, odd] = [0, 0];
    let k = 0;
    for (; k + 1 < bits; k += 2) {
      even += own[k]! * others[base + k]!;
      odd += own[k + 1]! * others[base + k + 1]!;
    }
    if (k < bits) even += own[k]! * others[base + k]!;
    const theta = (even + odd) / 2;
    const similar = labels[other] === label ? 1 : 0;
    const { value, slope } = likelihood(theta, similar);
    sum += value;
    for (let i = 0; i < bits; i++) slopes[i]! += (slope / 2) * others[base + i]!;
  }
  return sum;
}

/** Trained as by the authors' PyTorch program, which divides the learning rate by 10 behind the epochs 51 and 101. */
export const dpsh = {
  ...overPairs,
  pairs: loss,
  published: {
    wholeSplit: true,
    sampledOutputs: 'recorded',
    schedule: {
      iterations: 150,
      epochs: 1,
      batchSize: 128,
      learningRate: 0.05,
      decayAfter: [51, 101],
      decayFactor: 0.1,
    },
    optimizer: { momentum: 0, weightDecay: 1e-5 },
  },
  quickLearningRate: 0.005,
} as const satisfies TrainedMethod;
