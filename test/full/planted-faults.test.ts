import { expect, test } from 'vitest';
import { plants } from '../simulation/plants.js';
import { simulateAndCompare } from '../simulation/simulation.js';

/** A planted fault is to be found within so many. */
const mostSeeds = 1_000;

test.each(Object.entries(plants))(
  'it is found when %s',
  async (_, plant) => {
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
  },
  900_000,
);
