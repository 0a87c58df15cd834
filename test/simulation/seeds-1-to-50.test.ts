import { expect, test } from 'vitest';
import { seedsThatFail } from './seeds.js';

test('seeds 1 to 50 end with the bits of an undisturbed run, and nothing is left over', async () => {
  expect(await seedsThatFail(1, 50)).toEqual([]);
}, 900_000);
