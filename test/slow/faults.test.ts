import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Campaign, scheduleOf } from '../kit/faults/campaign.js';
import { describeFault } from '../kit/faults/schedule.js';

/** Two iterations of two epochs of two steps. */
const options = { workers: 2, steps: 8, settings: ['spec.schedule.iterations=2'] };
let campaign: Campaign;

beforeAll(async () => {
  campaign = await Campaign.open(options);
});
afterAll(() => campaign.close());

/** Seeds taken from the commit: other schedules on every commit, the same ones whenever it is tested again. */
function seedsOfCommit(count: number): number[] {
  let first = 20_260_101;
  try {
    first = Number.parseInt(execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).slice(0, 8), 16);
  } catch {
    // Not a clone; the schedules are then always the same.
  }
  return Array.from({ length: count }, (_, i) => first + i);
}

for (const seed of seedsOfCommit(3)) {
  const faults = scheduleOf(seed, options);
  const what = faults.map(describeFault).join(', ');
  test.concurrent(`seed ${seed} (${what}): the same bits, and the ledger audits clean`, async () => {
    const { digests, audit } = await campaign.run(`seed-${seed}`, faults, 110_000);
    expect(digests).toEqual(campaign.expected);
    expect(audit).toEqual([0, '']);
  }, 120_000);
}
