import { expect, test } from 'vitest';
import { seedsThatFail } from '../simulation/seeds.js';

test('seeds 51 to 200 end with the bits of an undisturbed run, and nothing is left over', async () => {
  expect(await seedsThatFail(51, 150)).toEqual([]);
}, 900_000);
