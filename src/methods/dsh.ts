import { overPairs, type PairLoss, type TrainedMethod } from './method.js';

/**
 * Deep supervised hashing (Liu, Wang, Shan and Chen, 2016): a contrastive loss of the squared distances of all pairs of
 * the batch, with a margin m, and α times the distance of every output's magnitude to 1. The outputs b are values of
 * the hash layer without tanh. As in the authors' program, divided by rows · (rows − 1) and by rows:
 *
 *     Σ over pairs i < j of [½ |bᵢ − bⱼ|², similar; ½ max(m − |bᵢ − bⱼ|², 0), else] / (rows (rows − 1))
 *     + α Σᵢ ‖|bᵢ| − 1‖₁ / rows
 *
 * The derivative of ||x| − 1| is 1 for −1 ≤ x ≤ 0 and x ≥ 1, else −1, as the paper defines it.
 */
const loss: PairLoss = {
  storesOutputs: false,

  compute({ outputs, images, labels, bits, settings }) {
    const rows = images.length;
    const margin = settings.dsh.margin * bits;
    // A batch of one row has no pair.
    const pairScale = 1 / Math.max(1, rows * (rows - 1));
    const scale = settings.dsh.alpha / rows;
    const gradient = new Float64Array(outputs.length);
    let similarity = 0;
    let quantisation = 0;
    for (let i = 0; i < rows; i++) {
      for (let j = i + 1; j < rows; j++) {
        let square = 0;
        for (let k = 0; k < bits; k++) square += (outputs[i * bits + k]! - outputs[j * bits + k]!) ** 2;
        const isSimilar = labels[images[i]!] === labels[images[j]!];
        if (!isSimilar && square >= margin) continue;
        similarity += (pairScale * (isSimilar ? square : margin - square)) / 2;
        const pull = isSimilar ? pairScale : -pairScale;
        for (let k = 0; k < bits; k++) {
          const difference = pull * (outputs[i * bits + k]! - outputs[j * bits + k]!);
          gradient[i * bits + k]! += difference;
          gradient[j * bits + k]! -= difference;
        }
      }
    }
    outputs.forEach((value, i) => {
      quantisation += scale * Math.abs(Math.abs(value) - 1);
      gradient[i]! += value >= 1 || (value <= 0 && value >= -1) ? scale : -scale;
    });
    return { similarity, quantisation, gradient };
  },
};

/**
 * Trained as by the authors' program for CIFAR-10: 70,000 steps of 200 of 50,000 images, 250 an epoch, and a tenth of
 * the learning rate from steps 60,000 and 65,000 on.
 */
export const dsh = {
  ...overPairs,
  pairs: loss,
  published: {
    wholeSplit: true,
    sampledOutputs: 'recorded',
    schedule: {
      iterations: 280,
      epochs: 1,
      batchSize: 200,
      learningRate: 0.001,
      decayAfter: [240, 260],
      decayFactor: 0.1,
    },
    optimizer: { momentum: 0.9, weightDecay: 0.004 },
  },
  quickLearningRate: null,
} as const satisfies TrainedMethod;
