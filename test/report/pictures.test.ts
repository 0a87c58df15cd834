import { expect, test } from 'vitest';
import { chooseQueries } from '../../src/report/pictures/choose-queries.js';
import { eraseOutlined, overlayAttention } from '../../src/report/pictures/overlay.js';

test('queries are chosen from the best to the worst, each of another class where there are enough', () => {
  const precisions = Float64Array.of(0.1, 0.9, 0.5, 1, 0.3, 0.7);
  expect(chooseQueries(precisions, [0, 1, 2, 3, 4, 5], 3)).toEqual([3, 2, 0]);
  // The best two are of one class: the third best takes the second's place.
  expect(chooseQueries(precisions, [0, 3, 2, 3, 0, 5], 4)).toEqual([3, 5, 2, 0]);
});

test('classes repeat where there are fewer, and no query is chosen twice', () => {
  expect(chooseQueries(Float64Array.of(0.5, 0.5, 0.5), [0, 0, 0], 2)).toEqual([0, 2]);
  expect(chooseQueries(Float64Array.of(0.5, 0.2), [0, 0], 5)).toEqual([0, 1]);
});

test('attention is laid over a picture in colours that become brighter', () => {
  const black = new Uint8Array(9);
  const shown = overlayAttention(black, Float64Array.of(0, 0.5, 1));
  const brightness = [0, 1, 2].map((pixel) =>
    shown.slice(3 * pixel, 3 * pixel + 3).reduce((sum, v) => sum + v, 0),
  );
  expect(brightness[0]).toBeLessThan(brightness[1]!);
  expect(brightness[1]).toBeLessThan(brightness[2]!);
});

test('erased pixels have the neutral colour, with an outline beside the kept ones only', () => {
  const size = 5;
  const mask = Uint8Array.from({ length: size * size }, (_, i) =>
    i % size < 3 && i >= size && i < 4 * size ? 0 : 1,
  );
  const erased = eraseOutlined(new Uint8Array(size * size * 3).fill(9), mask, size, [1, 2, 3]);
  const letters = Array.from({ length: size * size }, (_, pixel) => {
    const [red] = erased.subarray(3 * pixel);
    return red === 9 ? '.' : red === 1 ? 'e' : 'o';
  });
  const rows = Array.from({ length: size }, (_, row) => letters.slice(row * size, (row + 1) * size).join(''));
  expect(rows).toEqual(['.....', 'ooo..', 'eeo..', 'ooo..', '.....']);
});
