import type { Size } from './attention.js';
import { checkElements } from './error.js';

/** How much SREM erases: `regions` squares with a side of `size` pixels (k and s of Algorithm 1). */
export interface ErasingSettings {
  readonly regions: number;
  readonly size: number;
}

/**
 * SREM (Algorithm 1): erases the squares whose LEFT-TOP corners are the hottest pixels. Squares may overlap, and are
 * cut at the right and bottom border.
 * @param attention `[height, width]`
 * @returns `[height, width]`, 1 = kept, 0 = erased
 */
export function erasingMask(
  attention: Float64Array,
  image: Size,
  erasing: ErasingSettings,
): Uint8Array<ArrayBuffer> {
  const { height, width } = image;
  checkElements('an attention map', attention.length, height * width);
  const hot = new Uint8Array(attention.length);
  for (const pixel of hottestPixels(attention, erasing.regions)) hot[pixel] = 1;

  // A pixel is erased if a hot pixel is at most size − 1 above and to the left of it. Two running distances are enough.
  const mask = new Uint8Array(attention.length);
  const lastRow = new Int32Array(width).fill(-erasing.size);
  for (let y = 0, pixel = 0; y < height; y++) {
    let lastColumn = -erasing.size;
    for (let x = 0; x < width; x++, pixel++) {
      if (hot[pixel] === 1) lastColumn = x;
      if (x - lastColumn < erasing.size) lastRow[x] = y;
      mask[pixel] = y - lastRow[x]! < erasing.size ? 0 : 1;
    }
  }
  return mask;
}

/**
 * The indices of the `count` largest values (all of them when there are fewer), in no particular order. Among equal
 * values the earlier in row-major order comes first.
 */
export function hottestPixels(values: Float64Array, count: number): Int32Array {
  const heap = new Int32Array(Math.min(count, values.length));
  if (heap.length === 0) return heap;
  // A heap with the worst candidate on top: the smallest value, among equal ones the latest.
  const worse = (a: number, b: number) => values[a]! < values[b]! || (values[a]! === values[b]! && a > b);
  const sink = (start: number) => {
    const candidate = heap[start]!;
    let place = start;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && worse(heap[child + 1]!, heap[child]!)) child++;
      if (!worse(heap[child]!, candidate)) break;
      heap[place] = heap[child]!;
      place = child;
    }
    heap[place] = candidate;
  };
  for (let i = 0; i < heap.length; i++) heap[i] = i;
  for (let i = heap.length >> 1; i >= 0; i--) sink(i);
  let threshold = values[heap[0]!]!;
  for (let i = heap.length; i < values.length; i++) {
    // A later pixel of the same value ranks lower, so only a larger value enters.
    if (values[i]! > threshold) {
      heap[0] = i;
      sink(0);
      threshold = values[heap[0]!]!;
    }
  }
  return heap;
}

/**
 * x^a = M ⊙ x (equation 5): the image with erased pixels set to 0, which is the mean colour of normalised pixels.
 * @param image `[height, width, 3]`
 * @param mask `[height, width]`
 * @param target `[height, width, 3]`, receives the result
 */
export function eraseImage(image: Float32Array, mask: Uint8Array, target: Float32Array): void {
  target.set(image);
  for (let pixel = 0, value = 0; pixel < mask.length; pixel++, value += 3) {
    if (mask[pixel] === 1) continue;
    target[value] = 0;
    target[value + 1] = 0;
    target[value + 2] = 0;
  }
}
