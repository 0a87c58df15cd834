import { describe, expect, test } from 'vitest';
import { plants } from './plants.js';
import { simulate, simulateAndCompare } from './simulation.js';

/** As many as there is time for in every test run; `npm run test:full` takes a hundred times as many. */
const seeds = 200;
/** A planted fault is to be found within so many. */
const mostSeeds = 200;

test(`${seeds} seeds end with the bits of an undisturbed run, and nothing is left over`, async () => {
  const wrong: string[] = [];
  for (let seed = 1; seed <= seeds; seed++) {
    const { violations } = await simulateAndCompare(seed);
    if (violations.length > 0) wrong.push(`seed ${seed}: ${violations.join('; ')}`);
  }
  expect(wrong).toEqual([]);
}, 900_000);

test('a seed gives the same trace every time', async () => {
  for (const seed of [4, 11, 30]) {
    const [first, second] = [await simulate(seed), await simulate(seed)];
    expect(second.trace).toEqual(first.trace);
  }
});

describe('a planted fault is found', () => {
  test.each(Object.entries(plants))('%s', async (_, plant) => {
    // What runs end with is known before anything is broken.
    await simulateAndCompare(1);
    const mend = plant();
    try {
      for (let seed = 1; seed <= mostSeeds; seed++) {
        const { violations } = await simulateAndCompare(seed);
        if (violations.length > 0) return;
      }
    } finally {
      mend();
    }
    expect.fail(`none of ${mostSeeds} seeds finds it`);
  });
});
