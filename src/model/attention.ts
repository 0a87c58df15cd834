import { checkElements } from './error.js';

/** Keeps a flat map's normalisation from dividing by zero (equation 4). */
export const attentionEpsilon = 1e-8;

/** Height and width in pixels. */
export interface Size {
  readonly height: number;
  readonly width: number;
}

/**
 * Attention of one image from its last feature map: channel mean (equation 3), bilinear up-sampling to the image's
 * size, and scaling to [0, 1] (equation 4). Computed in float64 outside the tape: no gradient flows through it.
 * @param features `[height, width, channels]` of the feature map
 * @returns `[image.height, image.width]`
 */
export function attentionMap(
  features: Float32Array,
  map: Size,
  channels: number,
  image: Size,
): Float64Array<ArrayBuffer> {
  return scaleToUnitRange(upsampleBilinear(channelMean(features, map, channels), map, image));
}

/** Mean over the channels of `[height, width, channels]`. */
export function channelMean(features: Float32Array, map: Size, channels: number): Float64Array<ArrayBuffer> {
  checkElements('a feature map', features.length, map.height * map.width * channels);
  const mean = new Float64Array(map.height * map.width);
  for (let pixel = 0, source = 0; pixel < mean.length; pixel++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += features[source++]!;
    mean[pixel] = sum / channels;
  }
  return mean;
}

/** Where an output pixel's value lies between two input pixels. */
export interface InputPixels {
  readonly first: Int32Array;
  readonly second: Int32Array;
  /** Weight of `second`. */
  readonly fraction: Float64Array;
}

/**
 * Bilinear resizing with half-pixel centres (PyTorch's `align_corners = false`). The source position is clamped on both
 * sides, so pixels beyond the outermost centres repeat a value exactly. SREM's order depends on these ties.
 */
export function upsampleBilinear(values: Float64Array, from: Size, to: Size): Float64Array<ArrayBuffer> {
  const rows = inputPixelsOf(from.height, to.height);
  const columns = inputPixelsOf(from.width, to.width);
  const result = new Float64Array(to.height * to.width);
  for (let y = 0, target = 0; y < to.height; y++) {
    const top = rows.first[y]! * from.width;
    const bottom = rows.second[y]! * from.width;
    const down = rows.fraction[y]!;
    for (let x = 0; x < to.width; x++, target++) {
      const left = columns.first[x]!;
      const right = columns.second[x]!;
      const along = columns.fraction[x]!;
      // With equal inputs this formula returns exactly their value.
      const upper = interpolate(values[top + left]!, values[top + right]!, along);
      const lower = interpolate(values[bottom + left]!, values[bottom + right]!, along);
      result[target] = interpolate(upper, lower, down);
    }
  }
  return result;
}

function interpolate(from: number, to: number, fraction: number): number {
  return from + fraction * (to - from);
}

/** InputPixels of each of `to` pixels among `from`. */
export function inputPixelsOf(from: number, to: number): InputPixels {
  const first = new Int32Array(to);
  const second = new Int32Array(to);
  const fraction = new Float64Array(to);
  for (let i = 0; i < to; i++) {
    const source = Math.min(Math.max(((i + 0.5) * from) / to - 0.5, 0), from - 1);
    first[i] = Math.floor(source);
    second[i] = Math.min(first[i]! + 1, from - 1);
    fraction[i] = source - first[i]!;
  }
  return { first, second, fraction };
}

/** (a − min) / (max − min + ε), in place. */
function scaleToUnitRange<T extends Float64Array>(values: T): T {
  let least = Number.POSITIVE_INFINITY;
  let largest = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (value < least) least = value;
    if (value > largest) largest = value;
  }
  const range = largest - least + attentionEpsilon;
  for (let i = 0; i < values.length; i++) values[i] = (values[i]! - least) / range;
  return values;
}
