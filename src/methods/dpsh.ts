import type { PairLoss, TrainedMethod } from './method.js';
import { product, sigmoid, softplus } from './pair-likelihood.js';

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
    const gradient = new Float64Array(outputs.length);
    let similarity = 0;
    let quantisation = 0;
    images.forEach((image, row) => {
      const label = labels[image]!;
      for (let other = 0; other < labels.length; other++) {
        const theta = product(outputs, row, stored!, other, bits) / 2;
        const similar = labels[other] === label ? 1 : 0;
        similarity += softplus(theta) - similar * theta;
        const slope = (sigmoid(theta) - similar) / 2;
        for (let k = 0; k < bits; k++) gradient[row * bits + k]! += slope * stored![other * bits + k]!;
      }
      for (let i = row * bits; i < (row + 1) * bits; i++) {
        const residual = outputs[i]! - (outputs[i]! >= 0 ? 1 : -1);
        quantisation += eta * residual * residual;
        gradient[i] = scale * (gradient[i]! + 2 * eta * residual);
      }
    });
    return { similarity: scale * similarity, quantisation: scale * quantisation, gradient };
  },
};

/** Trained as by the authors' PyTorch program, which divides the learning rate by 10 behind the epochs 51 and 101. */
export const dpsh = {
  kind: 'trained',
  positives: false,
  erasing: false,
  pairs: loss,
  databaseCodes: 'network',
  firstCodes: 'zero',
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
} as const satisfies TrainedMethod;
