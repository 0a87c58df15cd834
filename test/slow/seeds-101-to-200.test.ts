import { expect, test } from 'vitest';
import { seedsThatFail } from '../simulation/seeds.js';

test('seeds 101 to 200 end with the bits of an undisturbed run, and nothing is left over', async () => {
  expect(await seedsThatFail(101, 100)).toEqual([]);
}, 900_000);
