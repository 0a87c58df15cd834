import { expect, test } from 'vitest';
import {
  mean,
  pairedDifference,
  standardDeviation,
  studentQuantile95,
} from '../../src/experiments/statistics.js';

// From the printed tables of Student's distribution.
test.each([
  [1, 12.706],
  [2, 4.303],
  [3, 3.182],
  [4, 2.776],
  [9, 2.262],
  [10, 2.228],
  [29, 2.045],
  [30, 2.042],
  [999, 1.962],
])('Student’s t with %i degrees of freedom has 95 %% within ±%d', (degrees, quantile) => {
  expect(studentQuantile95(degrees)).toBeCloseTo(quantile, 3);
});

test('the standard deviation is that of a sample', () => {
  expect(mean([2, 4, 4, 4, 5, 5, 7, 9])).toBe(5);
  expect(standardDeviation([2, 4, 4, 4, 5, 5, 7, 9])).toBeCloseTo(Math.sqrt(32 / 7), 12);
  expect(standardDeviation([3])).toBeNull();
});

test('a difference of three pairs has the interval of two degrees of freedom', () => {
  const difference = pairedDifference([1, 2, 3])!;
  expect(difference).toMatchObject({ pairs: 3, mean: 2 });
  const half = 4.302653 / Math.sqrt(3);
  expect(difference.interval![0]).toBeCloseTo(2 - half, 5);
  expect(difference.interval![1]).toBeCloseTo(2 + half, 5);
});

test('one or two pairs have a difference without interval, and none has none', () => {
  expect(pairedDifference([0.5])).toEqual({ pairs: 1, mean: 0.5, interval: null });
  expect(pairedDifference([0.5, 1.5])).toEqual({ pairs: 2, mean: 1, interval: null });
  expect(pairedDifference([])).toBeNull();
});
