import { expect, test } from 'vitest';
import { seedsThatFail } from '../simulation/seeds.js';

test('a coordinator that is replaced while it reads what its successor takes away ends as replaced', async () => {
  expect(await seedsThatFail(592, 1)).toEqual([]);
});

test('a coordinator that is replaced while answers contradict each other ends as replaced', async () => {
  expect(await seedsThatFail(3740, 1)).toEqual([]);
});

test('a late answer with a NaN costs its worker the run, and does not end it', async () => {
  expect(await seedsThatFail(1076, 1)).toEqual([]);
});

test('a sum is found to be wrong when its owner was set aside for another one already', async () => {
  expect(await seedsThatFail(180, 1)).toEqual([]);
  expect(await seedsThatFail(225, 1)).toEqual([]);
});

test('what a worker would still tell of an exchange when its session is over does not reach its next session', async () => {
  expect(await seedsThatFail(2140, 1)).toEqual([]);
});
