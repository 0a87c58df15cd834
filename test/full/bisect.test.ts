import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type BisectedRuns, bisectedRuns, foreign } from '../kit/bisected-runs.js';

let runs: BisectedRuns;
beforeAll(async () => {
  runs = await bisectedRuns();
});
afterAll(() => runs.remove());

test('a setting of the optimiser shows in the state before the second step', async () => {
  await runs.train('rate', 'spec.schedule.learningRate=0.02');
  const found = await runs.bisect('one', 'rate');
  expect(found).toMatchObject({ place: 'state', step: 2, settings: ['spec.schedule.learningRate'] });
  // V is the same until the first V-step, and the first parameter comes next.
  expect(found.tensors.state!.first.tensor).toBe('conv1/kernel');
  expect(found.sentence).toMatch(/^the runs differ before step 2 already, in conv1\/kernel; settings/);
});

test('a run that another machine computed differently is told from the one that this machine computes', async () => {
  // Behind a V-step and a checkpoint, and one step further.
  await runs.forge('forged', 5, foreign);
  // On two workers every microbatch is computed twice, and compared.
  const found = await runs.bisect('forged', 'one', 2);
  expect(found).toMatchObject({
    place: 'workers',
    step: 6,
    position: { iteration: 2, epoch: 1, step: 2 },
    microbatch: null,
    tensors: { state: null, microbatch: null },
    // The copy has the checkpoints of the run that it was copied from.
    afterwards: { step: 6, tensors: null },
    sentence:
      'this machine computes the same bits for both runs: it computes the gradient that one has, so a worker of the other run, or its engine, computed another',
  });
  expect(found.replays).toMatchObject([
    { run: 'forged', otherThanLedgerAtStep: 6 },
    {
      run: 'one',
      otherThanLedgerAtStep: null,
      checkpoint: expect.stringMatching(/-step-0*5$/),
      stepsBefore: 0,
    },
  ]);
});

test('without checkpoints before the step it is computed from the beginning, V-step included', async () => {
  const copies = [await runs.forge('bare', 5, {}), await runs.forge('bare-forged', 5, foreign)];
  for (const copy of copies) rmSync(join(copy, 'checkpoints'), { recursive: true });
  const found = await runs.bisect('bare', 'bare-forged');
  expect(found).toMatchObject({ place: 'workers', step: 6, tensors: { state: null } });
  expect(found.replays).toMatchObject([
    { checkpoint: null, stepsBefore: 5, otherThanLedgerAtStep: null, identityDifferences: null },
    { checkpoint: null, stepsBefore: 5, otherThanLedgerAtStep: 6, identityDifferences: null },
  ]);
});
