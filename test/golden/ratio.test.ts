import { expect, test } from 'vitest';
import { softRatio } from '../../src/hashing/similarity.js';
import { classSizes, readGolden } from './support.js';

interface RatioGolden {
  cases: {
    row_labels: number[];
    col_labels: number[];
    r: number;
    dissimilar_value: number;
    sum_of_S_is_zero: boolean;
  }[];
}

test.each(readGolden<RatioGolden>('ratio').cases)('rows $row_labels of columns $col_labels', (golden) => {
  const K = Math.max(...golden.row_labels, ...golden.col_labels) + 1;
  const ratio = softRatio(
    Int32Array.from(golden.row_labels),
    classSizes(Int32Array.from(golden.col_labels), K),
  );
  expect(Math.abs(ratio - golden.r)).toBeLessThan(1e-8 * golden.r);
  expect(Math.abs(-ratio - golden.dissimilar_value)).toBeLessThan(1e-8 * golden.r);

  let sum = 0;
  for (const row of golden.row_labels) {
    for (const column of golden.col_labels) sum += row === column ? 1 : -ratio;
  }
  const pairs = golden.row_labels.length * golden.col_labels.length;
  expect(Math.abs(sum) < 1e-9 * pairs).toBe(golden.sum_of_S_is_zero);
});
