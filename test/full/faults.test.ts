import { mkdirSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Campaign, scheduleOf } from '../kit/faults/campaign.js';
import { describeFault } from '../kit/faults/schedule.js';

/** Three iterations of two epochs of two steps. With three workers two are left to exchange gradients when one is gone. */
const options = { workers: 3, steps: 12, settings: [] };
const schedules = Number(process.env.FCAENET_SCHEDULES ?? 50);
/** Seeds have them in turns. */
const precisions = { float32: ['float32'], bfloat16: ['bfloat16'], mixed: ['float32', 'bfloat16'] }[
  process.env.FCAENET_PRECISION ?? 'mixed'
]!;
const precisionOf = (seed: number) => precisions[seed % precisions.length]!;
const started = performance.now();
const summary = {
  schedules,
  passed: 0,
  failed: 0,
  /** In how many workers were seen to exchange gradients. */
  exchanged: 0,
  /** Faults that happened, by kind. */
  faultsByKind: {} as Record<string, number>,
  /** Processes that were started again. */
  restarts: 0,
  seconds: 0,
  failures: [] as { seed: number; precision: string; faults: string[]; reason: string }[],
};
const campaigns = new Map<string, Campaign>();

beforeAll(async () => {
  for (const precision of precisions) {
    const settings = [`spec.wire.precision=${precision}`];
    campaigns.set(precision, await Campaign.open({ ...options, settings }));
  }
});
afterAll(async () => {
  for (const campaign of campaigns.values()) await campaign.close();
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
  const precision = precisionOf(seed);
  const name = `seed ${seed} (${precision}, ${described.join(', ')}): the same bits, and the ledger audits clean`;
  test.concurrent(name, async () => {
    const campaign = campaigns.get(precision)!;
    try {
      const { digests, audit, happened, restarts, exchanging } = await campaign.run(
        `seed-${seed}`,
        faults,
        280_000,
      );
      for (const { kind } of happened) summary.faultsByKind[kind] = (summary.faultsByKind[kind] ?? 0) + 1;
      summary.restarts += restarts;
      if (exchanging > 0) summary.exchanged++;
      expect(digests).toEqual(campaign.expected);
      expect(audit).toEqual([0, '']);
      summary.passed++;
    } catch (error) {
      summary.failed++;
      summary.failures.push({ seed, precision, faults: described, reason: (error as Error).message });
      throw error;
    }
  }, 300_000);
}
