import { expect, test } from 'vitest';
import { editDistance, nearestName } from '../../src/run/nearest-name.js';

test.each([
  ['', '', 0],
  ['', 'abc', 3],
  ['kitten', 'sitting', 3],
  ['bist', 'bits', 1],
  ['same', 'same', 0],
])('distance from %j to %j', (left, right, distance) => {
  expect(editDistance(left, right)).toBe(distance);
  expect(editDistance(right, left)).toBe(distance);
});

test('the nearest name is found whatever its case, and nothing when none is near', () => {
  const names = ['learningRate', 'batchSize', 'epochs'];
  expect(nearestName('learning_rate', names)).toBe('learningRate');
  expect(nearestName('BATCHSIZE', names)).toBe('batchSize');
  expect(nearestName('workers', names)).toBeUndefined();
});
