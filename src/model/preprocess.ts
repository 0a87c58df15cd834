import type { Preprocessing } from './architecture.js';

/** ImageNet's channel means and standard deviations, in units of 0..1 (torchvision's values). */
const IMAGENET_MEAN = [0.485, 0.456, 0.406] as const;
const IMAGENET_DEVIATION = [0.229, 0.224, 0.225] as const;

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
  return `RGB, (byte / 255 - [${IMAGENET_MEAN.join(', ')}]) / [${IMAGENET_DEVIATION.join(', ')}]`;
}

/** The value of each byte in each channel, computed in float64 and rounded once `[3, 256]` */
export function normalizedBytes(preprocessing: Preprocessing): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: 768 }, (_, index) => {
    const channel = index >>> 8;
    const byte = index & 255;
    if (preprocessing === 'symmetric') return byte / 127.5 - 1;
    return (byte / 255 - IMAGENET_MEAN[channel]!) / IMAGENET_DEVIATION[channel]!;
  });
}
