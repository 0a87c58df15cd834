import { expect, test } from 'vitest';
import { simulate } from './simulation.js';

test.each([4, 11, 24, 30])('seed %i gives the same trace every time', async (seed) => {
  const [first, second] = [await simulate(seed), await simulate(seed)];
  expect(second.trace).toEqual(first.trace);
});
