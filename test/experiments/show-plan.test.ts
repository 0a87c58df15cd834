import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { planRuns } from '../../src/experiments/show-plan.js';
import { plan, resolve, writeFinished } from './support.js';

test('the plan of a run that cannot be done says why', () => {
  const output = mkdtempSync(join(tmpdir(), 'fcaenet-plan-'));
  try {
    const [cell, ...rest] = plan({ output, bits: [12], seedCount: 1 }).cells;
    const settings = [
      'spec.bits=12',
      `metadata.name=${cell!.name}`,
      `spec.operation.runsDirectory=${join(output, 'runs')}`,
    ];
    writeFinished({ ...cell!, run: resolve([...settings, 'spec.dataset.path=elsewhere']) });
    const [moved, ...others] = planRuns([cell!, ...rest], { classes: 2, train: 100, test: 10 }, null);
    expect(moved).toMatchObject({
      state: 'failed',
      reason: expect.stringContaining('spec.dataset.path ("elsewhere", now "data")'),
    });
    expect(others.map(({ state, reason }) => [state, reason])).toEqual(rest.map(() => ['absent', null]));
  } finally {
    rmSync(output, { recursive: true });
  }
});
