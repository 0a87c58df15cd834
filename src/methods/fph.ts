import { assumedTraining, overPairs, type PairLoss, type TrainedMethod } from './method.js';

/**
 * Feature pyramid hashing (Yang, Geng, Lai, Pan and Yin, 2019): a triplet ranking loss over the codes
 * h = 1 / (1 + e^−z) of the values z of the hash layer, whose features are those of two pyramids
 * (`src/model/heads/pyramids.ts`). The mean over all T triplets of the batch, i and j of one class and k of another:
 *
 *     Σᵢⱼₖ max(0, m + |hᵢ − hⱼ|² − |hᵢ − hₖ|²) / T
 *
 * The text of the publication behind its abstract could not be read, so its equations have no numbers here, and
 * docs/methods.md lists what this project assumes. With wᵢⱼ the number of violated triplets in which j is i's similar image, less the number in which it is the other:
 *
 *     ∂/∂zᵢ = 2 Σⱼ (wᵢⱼ + wⱼᵢ) (hᵢ − hⱼ) ∘ hᵢ (1 − hᵢ) / T
 */
const loss: PairLoss = {
  storesOutputs: false,

  compute({ outputs, images, labels, bits, settings }) {
    const rows = images.length;
    const margin = settings.fph.margin * bits;
    const hashed = Float64Array.from(outputs, (value) => 1 / (1 + Math.exp(-value)));
    const squares = squaredDistances(hashed, rows, bits);
    const weights = new Float64Array(rows * rows);
    let triplets = 0;
    let similarity = 0;
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < rows; j++) {
        if (j === i || labels[images[i]!] !== labels[images[j]!]) continue;
        for (let k = 0; k < rows; k++) {
          if (labels[images[i]!] === labels[images[k]!]) continue;
          triplets++;
          const violation = margin + squares[i * rows + j]! - squares[i * rows + k]!;
          if (violation <= 0) continue;
          similarity += violation;
          weights[i * rows + j]!++;
          weights[i * rows + k]!--;
        }
      }
    }
    // A batch may have no triplet.
    const scale = 1 / Math.max(1, triplets);
    const gradient = new Float64Array(outputs.length);
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < rows; j++) {
        const weight = 2 * scale * (weights[i * rows + j]! + weights[j * rows + i]!);
        if (weight === 0) continue;
        for (let k = 0; k < bits; k++) {
          gradient[i * bits + k]! += weight * (hashed[i * bits + k]! - hashed[j * bits + k]!);
        }
      }
    }
    for (let i = 0; i < gradient.length; i++) gradient[i]! *= hashed[i]! * (1 - hashed[i]!);
    return { similarity: scale * similarity, quantisation: 0, gradient };
  },
};

/** Squared Euclidean distances of all rows `[rows, rows]` */
function squaredDistances(values: Float64Array, rows: number, bits: number): Float64Array {
  const squares = new Float64Array(rows * rows);
  for (let i = 0; i < rows; i++) {
    for (let j = i + 1; j < rows; j++) {
      let square = 0;
      for (let k = 0; k < bits; k++) square += (values[i * bits + k]! - values[j * bits + k]!) ** 2;
      squares[i * rows + j] = square;
      squares[j * rows + i] = square;
    }
  }
  return squares;
}

export const fph = {
  ...overPairs,
  ...assumedTraining,
  head: 'pyramids',
  pairs: loss,
} as const satisfies TrainedMethod;
