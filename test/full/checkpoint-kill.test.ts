import { afterAll, beforeAll, expect, test } from 'vitest';
import { Campaign } from '../kit/faults/campaign.js';
import { fault } from '../kit/faults/schedule.js';

/** Changes that inotify tells of while one checkpoint is written; a few of the last may belong to the next one. */
const changes = 36;
const steps = 12;
/** A kill may come so late that its checkpoint counts and the next kill waits for the one after. */
const killsPerRun = 6;
const options = { workers: 1, steps, settings: [] };
let campaign: Campaign;

beforeAll(async () => {
  campaign = await Campaign.open(options);
});
afterAll(() => campaign.close());

for (let first = 1; first <= changes; first += killsPerRun) {
  const numbers = Array.from({ length: killsPerRun }, (_, i) => first + i);
  test(`coordinator SIGKILL at changes ${first} to ${numbers.at(-1)} of a checkpoint's writing`, async () => {
    const faults = numbers.map((change, i) => fault('coordinator-kill-writing', i + 1, { change }));
    const { digests, audit, happened, restarts } = await campaign.run(`from-${first}`, faults, 280_000);
    expect(happened).toHaveLength(killsPerRun);
    expect(restarts).toBeGreaterThanOrEqual(killsPerRun);
    expect(digests).toEqual(campaign.expected);
    expect(audit).toEqual([0, '']);
  });
}
