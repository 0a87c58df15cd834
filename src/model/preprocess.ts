import type { Preprocessing } from './architecture.js';

/** An input is (byte / divisor − mean) / deviation, by channel. */
export interface Scaling {
  readonly divisor: number;
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/** What each kind of trunk was trained on; ImageNet's means and deviations are torchvision's, in units of 0..1. */
export const scalings: { readonly [Kind in Preprocessing]: Scaling } = {
  imagenet: { divisor: 255, mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] },
  symmetric: { divisor: 127.5, mean: [1, 1, 1], deviation: [1, 1, 1] },
};

/**
 * Scales RGB bytes to what a network's trunk was trained on.
 *
 * @param pixels `[count, height, width, 3]`
 */
export function normalizeImages(pixels: Uint8Array, preprocessing: Preprocessing): Float32Array<ArrayBuffer> {
  const table = normalizedBytes(preprocessing);
  const result = new Float32Array(pixels.length);
  for (let i = 0; i < pixels.length; i += 3) {
    result[i] = table[pixels[i]!]!;
    result[i + 1] = table[256 + pixels[i + 1]!]!;
    result[i + 2] = table[512 + pixels[i + 2]!]!;
  }
  return result;
}

/** What `normalizeImages` does, in words. */
export function describePreprocessing(preprocessing: Preprocessing): string {
  if (preprocessing === 'symmetric') return 'RGB, byte / 127.5 - 1';
  const { divisor, mean, deviation } = scalings[preprocessing];
  return `RGB, (byte / ${divisor} - [${mean.join(', ')}]) / [${deviation.join(', ')}]`;
}

/** The value of each byte in each channel, computed in float64 and rounded once `[3, 256]` */
function normalizedBytes(preprocessing: Preprocessing): Float32Array<ArrayBuffer> {
  const { divisor, mean, deviation } = scalings[preprocessing];
  return Float32Array.from({ length: 768 }, (_, index) => {
    const channel = index >>> 8;
    return ((index & 255) / divisor - mean[channel]!) / deviation[channel]!;
  });
}
