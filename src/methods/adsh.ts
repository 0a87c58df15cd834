import type { TrainedMethod } from './method.js';

/**
 * Asymmetric deep supervised hashing (Jiang and Li, 2018) as its authors' program trains it. Loss and V-step are those
 * of `baseline` (method 1.5 to 1.8), with γ = 200. V begins with 0 instead of random signs, so in the first iteration
 * only γ's term has a gradient. U is recorded while the network is trained instead of encoded behind it. Both loops
 * are shorter, and SGD has no momentum.
 *
 * The program divides the learning rate by 10 when the iterations 11, 21, 31 and 41 have ended.
 */
export const adsh = {
  kind: 'trained',
  head: 'pooled',
  positives: false,
  erasing: false,
  pairs: null,
  databaseCodes: 'learned',
  firstCodes: 'zero',
  terms: [],
  gamma: null,
  published: {
    wholeSplit: false,
    sampledOutputs: 'recorded',
    schedule: {
      iterations: 50,
      epochs: 3,
      batchSize: 64,
      learningRate: 0.001,
      decayAfter: [11, 21, 31, 41],
      decayFactor: 0.1,
    },
    optimizer: { momentum: 0, weightDecay: 5e-4 },
  },
  quickLearningRate: null,
} as const satisfies TrainedMethod;
