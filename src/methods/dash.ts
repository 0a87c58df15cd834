import { assumedTraining, overPairs, type PairLoss, type TrainedMethod } from './method.js';
import { likelihood } from './pair-likelihood.js';

/**
 * Deep saliency hashing (Jin, Yao, Sun, Zhou, Zhang and Hua, 2020). An attention network multiplies the picture by a map
 * (`src/model/heads/saliency.ts`), and the hashing network makes outputs of the attended picture, â = tanh ẑ, and of the
 * whole one, a = tanh z. All pairs i < j of the batch count, with weights wᵢⱼ that give similar (sᵢⱼ = 1) and dissimilar
 * pairs of the batch the sum 1 each. d is the squared distance, and σᵢⱼ is 1 for similar pairs, else −1:
 *
 *     semantic      ½ Σᵢⱼ wᵢⱼ [ℓ(½ âᵢ·âⱼ, sᵢⱼ) + ℓ(½ aᵢ·aⱼ, sᵢⱼ)], ℓ(Θ, s) = log(1 + e^Θ) − sΘ
 *     saliency      λ Σᵢⱼ wᵢⱼ max(0, m + σᵢⱼ (d(âᵢ, âⱼ) − d(aᵢ, aⱼ))) / bits, a constant
 *     quantisation  η Σᵢ |âᵢ − sign(âᵢ)|² / (rows · bits)
 *
 * So the attended picture is to tell similar from dissimilar pairs better than the whole one does. The text of the
 * publication behind its abstract could not be read: docs/methods.md lists what this project assumes.
 */
const loss: PairLoss = {
  storesOutputs: false,

  compute({ outputs, images, labels, bits, settings }) {
    const rows = images.length;
    const { saliency, margin, eta } = settings.dash;
    const classes = Int32Array.from(images, (image) => labels[image]!);
    const weights = pairWeights(classes);
    const hashed = Float64Array.from(outputs, Math.tanh);
    const slopes = new Float64Array(outputs.length);
    const attended = (row: number) => 2 * row * bits;
    const whole = (row: number) => (2 * row + 1) * bits;
    const pull = (i: number, j: number, slope: number) => {
      for (let k = 0; k < bits; k++) {
        slopes[i + k]! += slope * hashed[j + k]!;
        slopes[j + k]! += slope * hashed[i + k]!;
      }
    };
    let similarity = 0;
    for (let i = 0; i < rows; i++) {
      for (let j = i + 1; j < rows; j++) {
        const similar = classes[i] === classes[j] ? 1 : 0;
        const weight = similar ? weights.similar : weights.dissimilar;
        for (const place of [attended, whole]) {
          const pair = likelihood(product(hashed, place(i), place(j), bits) / 2, similar);
          similarity += (weight / 2) * pair.value;
          pull(place(i), place(j), (weight / 4) * pair.slope);
        }
        const [near, far] = [
          squaredDistance(hashed, attended(i), attended(j), bits),
          squaredDistance(hashed, whole(i), whole(j), bits),
        ];
        const sign = similar ? 1 : -1;
        const violation = margin * bits + sign * (near - far);
        if (violation <= 0) continue;
        const scale = (saliency * weight) / bits;
        similarity += scale * violation;
        for (let k = 0; k < bits; k++) {
          const slope = 2 * scale * sign * (hashed[attended(i) + k]! - hashed[attended(j) + k]!);
          slopes[attended(i) + k]! += slope;
          slopes[attended(j) + k]! -= slope;
        }
      }
    }
    let quantisation = 0;
    for (let row = 0; row < rows; row++) {
      for (let index = attended(row); index < whole(row); index++) {
        const residual = hashed[index]! - (hashed[index]! >= 0 ? 1 : -1);
        quantisation += (eta / (rows * bits)) * residual * residual;
        slopes[index]! += (2 * eta * residual) / (rows * bits);
      }
    }
    const gradient = slopes.map((slope, index) => slope * (1 - hashed[index]! ** 2));
    return { similarity, quantisation, gradient };
  },
};

/** What a pair of each kind weighs, so that those of one kind weigh 1 together. */
function pairWeights(classes: Int32Array): { readonly similar: number; readonly dissimilar: number } {
  let similar = 0;
  classes.forEach((label, i) => {
    for (const other of classes.subarray(i + 1)) if (other === label) similar++;
  });
  const dissimilar = (classes.length * (classes.length - 1)) / 2 - similar;
  // A batch may have no pair of a kind.
  return { similar: 1 / Math.max(1, similar), dissimilar: 1 / Math.max(1, dissimilar) };
}

function product(values: Float64Array, i: number, j: number, bits: number): number {
  let sum = 0;
  for (let k = 0; k < bits; k++) sum += values[i + k]! * values[j + k]!;
  return sum;
}

function squaredDistance(values: Float64Array, i: number, j: number, bits: number): number {
  let sum = 0;
  for (let k = 0; k < bits; k++) sum += (values[i + k]! - values[j + k]!) ** 2;
  return sum;
}

export const dash = {
  ...overPairs,
  ...assumedTraining,
  head: 'saliency',
  pairs: loss,
} as const satisfies TrainedMethod;
