import { expect, test } from 'vitest';
import { beginsWithoutCodes, firstCodes, firstCodesOf } from '../../src/methods/first-codes.js';
import { learnsDatabase, methods } from '../../src/methods/methods.js';

const learners = methods.filter(learnsDatabase);

test('V is 0 at first where the run file says so, and where it is published so', () => {
  const withZero = (firstCodes: 'published' | 'zero' | 'class-means') =>
    learners.filter((method) => beginsWithoutCodes({ method, firstCodes }));
  expect(withZero('published')).toEqual(['adsh']);
  expect(withZero('zero')).toEqual(['baseline', 'srem', 'esrl', 'fcaenet', 'adsh', 'exchnet']);
  expect(withZero('class-means')).toEqual([]);
});

test('a method that learns V keeps the setting, but zero only where it is not published and acts on the network', () => {
  for (const method of learners) {
    const kept = firstCodes.map((asked) => firstCodesOf(method, asked));
    const zero = ['adsh', 'exchnet'].includes(method) ? 'published' : 'zero';
    expect(kept).toEqual(['published', zero, 'class-means']);
  }
});

test('adsh begins with V = 0 with either name of it', () => {
  for (const asked of ['published', 'zero'] as const) {
    const kept = firstCodesOf('adsh', asked);
    expect(beginsWithoutCodes({ method: 'adsh', firstCodes: kept })).toBe(true);
  }
});
