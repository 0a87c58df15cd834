import { mkdirSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Campaign, scheduleOf } from '../kit/faults/campaign.js';
import { describeFault } from '../kit/faults/schedule.js';

/** Three iterations of two epochs of two steps, on two workers. */
const options = { workers: 2, steps: 12, settings: [] };
const schedules = Number(process.env.FCAENET_SCHEDULES ?? 50);
const started = performance.now();
const summary = {
  schedules,
  passed: 0,
  failed: 0,
  /** Faults that happened, by kind. */
  faultsByKind: {} as Record<string, number>,
  /** Processes that were started again. */
  restarts: 0,
  seconds: 0,
  failures: [] as { seed: number; faults: string[]; reason: string }[],
};
let campaign: Campaign;

beforeAll(async () => {
  campaign = await Campaign.open(options);
});
afterAll(async () => {
  await campaign.close();
  summary.seconds = Math.round((performance.now() - started) / 1000);
  const folder = resolve('bench', 'results');
  const file = resolve(folder, `faults-${new Date().toISOString().replaceAll(':', '-')}.json`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, `${JSON.stringify(summary, null, 2)}\n`);
  process.stdout.write(`${JSON.stringify(summary)}\n${file}\n`);
});

for (let seed = 1; seed <= schedules; seed++) {
  const faults = scheduleOf(seed, options);
  const described = faults.map(describeFault);
  test.concurrent(`seed ${seed} (${described.join(', ')}): the same bits, and the ledger audits clean`, async () => {
    try {
      const { digests, audit, happened, restarts } = await campaign.run(`seed-${seed}`, faults, 280_000);
      for (const { kind } of happened) summary.faultsByKind[kind] = (summary.faultsByKind[kind] ?? 0) + 1;
      summary.restarts += restarts;
      expect(digests).toEqual(campaign.expected);
      expect(audit).toEqual([0, '']);
      summary.passed++;
    } catch (error) {
      summary.failed++;
      summary.failures.push({ seed, faults: described, reason: (error as Error).message });
      throw error;
    }
  }, 300_000);
}
