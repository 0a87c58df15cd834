import { overPairs, type PairLoss, type TrainedMethod } from './method.js';
import { likelihood } from './pair-likelihood.js';
import type { MethodSettings } from './settings.js';

/**
 * HashNet (Cao, Long, Wang and Yu, 2017): the weighted maximum likelihood of all pairs of the batch, with
 * p(sᵢⱼ = 1) = σ(α hᵢ·hⱼ), h = tanh(βz) of the hash layer's values z, and β that grows during training, so that h
 * tends to the signs. Similar pairs weigh |S| / |S₁| and dissimilar ones |S| / |S₀|, where S are the pairs of distinct
 * training images, S₁ the similar and S₀ the dissimilar ones:
 *
 *     Σ over i ≠ j of wᵢⱼ (log(1 + e^(α hᵢ·hⱼ)) − α sᵢⱼ hᵢ·hⱼ) / (rows (rows − 1))
 *     ∂/∂zᵢ = 2α Σⱼ wᵢⱼ (σ(α hᵢ·hⱼ) − sᵢⱼ) hⱼ ∘ β (1 − hᵢ²) / (rows (rows − 1))
 *
 * The paper's α is 10 / bits in the authors' program.
 */
const loss: PairLoss = {
  storesOutputs: false,

  compute({ outputs, images, labels, classSizes, bits, step, settings }) {
    const rows = images.length;
    const alpha = settings.hashnet.sigmoid / bits;
    const beta = continuation(step, settings.hashnet);
    const weights = pairWeights(labels.length, classSizes);
    const hashed = Float64Array.from(outputs, (value) => Math.tanh(beta * value));
    const gradient = new Float64Array(outputs.length);
    let similarity = 0;
    for (let i = 0; i < rows; i++) {
      for (let j = i + 1; j < rows; j++) {
        const similar = labels[images[i]!] === labels[images[j]!] ? 1 : 0;
        const weight = similar ? weights.similar : weights.dissimilar;
        let product = 0;
        for (let k = 0; k < bits; k++) product += hashed[i * bits + k]! * hashed[j * bits + k]!;
        const pair = likelihood(alpha * product, similar);
        similarity += weight * pair.value;
        const slope = weight * alpha * pair.slope;
        for (let k = 0; k < bits; k++) {
          gradient[i * bits + k]! += slope * hashed[j * bits + k]!;
          gradient[j * bits + k]! += slope * hashed[i * bits + k]!;
        }
      }
    }
    // Each pair counts from both sides. A batch of one row has none.
    const scale = 2 / Math.max(1, rows * (rows - 1));
    for (let i = 0; i < gradient.length; i++) gradient[i]! *= scale * beta * (1 - hashed[i]! ** 2);
    return { similarity: scale * similarity, quantisation: 0, gradient };
  },
};

/**
 * β of a step (counted from 0): (1 + growth · t)^power with t the number of the last step, this one included, that is a
 * multiple of `stepSize`.
 */
function continuation(step: number, { stepSize, growth, power }: MethodSettings['hashnet']): number {
  return (1 + growth * Math.floor((step + 1) / stepSize) * stepSize) ** power;
}

function pairWeights(count: number, classSizes: Int32Array): { similar: number; dissimilar: number } {
  const all = count * (count - 1);
  const similar = classSizes.reduce((sum, size) => sum + size * (size - 1), 0);
  // A split without pairs of one kind gives none to weigh.
  return { similar: all / Math.max(1, similar), dissimilar: all / Math.max(1, all - similar) };
}

/**
 * Trained as by the authors' PyTorch program for MS COCO: 10,000 steps of twice 36 of 10,000 images, and half of the
 * learning rate every 2,000 steps. 72 epochs have as many images.
 */
export const hashnet = {
  ...overPairs,
  pairs: loss,
  published: {
    wholeSplit: true,
    sampledOutputs: 'recorded',
    schedule: {
      iterations: 72,
      epochs: 1,
      batchSize: 72,
      learningRate: 0.0003,
      decayAfter: [14, 29, 43, 58],
      decayFactor: 0.5,
    },
    optimizer: { momentum: 0.9, weightDecay: 5e-4 },
  },
  quickLearningRate: 0.1,
} as const satisfies TrainedMethod;
