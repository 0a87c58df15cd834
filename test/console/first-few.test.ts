import { expect, test } from 'vitest';
import { firstFew } from '../../src/console/first-few.js';

const names = (count: number) => Array.from({ length: count }, (_, index) => `n${index + 1}`);

test.each([
  [0, ''],
  [1, 'n1'],
  [5, 'n1, n2, n3, n4, n5'],
  [6, 'n1, n2, n3, n4, n5, n6'],
  [7, 'n1, n2, n3, n4, n5 and 2 more'],
  [400, 'n1, n2, n3, n4, n5 and 395 more'],
])('of %i names', (count, sentence) => {
  expect(firstFew(names(count))).toBe(sentence);
});

test('what stands between them can be another sign', () => {
  expect(firstFew(names(3), '; ')).toBe('n1; n2; n3');
});
