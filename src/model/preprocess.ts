import type { Backbone } from './layout.js';

/** ImageNet's channel means and standard deviations, in units of 0..1 (torchvision's values). */
const IMAGENET_MEAN = [0.485, 0.456, 0.406] as const;
const IMAGENET_DEVIATION = [0.229, 0.224, 0.225] as const;

/**
 * Scales RGB bytes to the backbone's input range: ImageNet's mean and standard deviation for the ResNets, [-1, 1] for
 * MobileNet. Computed in float64 and rounded once.
 * @param pixels `[count, height, width, 3]`
 */
export function normalizeImages(pixels: Uint8Array, backbone: Backbone): Float32Array<ArrayBuffer> {
  const table = tableOf(backbone);
  const result = new Float32Array(pixels.length);
  for (let i = 0; i < pixels.length; i += 3) {
    result[i] = table[pixels[i]!]!;
    result[i + 1] = table[256 + pixels[i + 1]!]!;
    result[i + 2] = table[512 + pixels[i + 2]!]!;
  }
  return result;
}

/** Describes `normalizeImages` for a backbone. */
export function describePreprocessing(backbone: Backbone): string {
  if (backbone === 'mobilenet_v1') return 'RGB, byte / 127.5 - 1';
  return `RGB, (byte / 255 - [${IMAGENET_MEAN.join(', ')}]) / [${IMAGENET_DEVIATION.join(', ')}]`;
}

/** The value of each byte in each channel `[3, 256]`. */
function tableOf(backbone: Backbone): Float32Array {
  return Float32Array.from({ length: 768 }, (_, index) => {
    const channel = index >>> 8;
    const byte = index & 255;
    if (backbone === 'mobilenet_v1') return byte / 127.5 - 1;
    return (byte / 255 - IMAGENET_MEAN[channel]!) / IMAGENET_DEVIATION[channel]!;
  });
}
