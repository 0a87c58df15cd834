import { afterAll, beforeAll, expect, test } from 'vitest';
import { bisectionText } from '../../src/inspection/bisect/show-bisection.js';
import { type BisectedRuns, bisectedRuns, foreign } from '../kit/bisected-runs.js';

let runs: BisectedRuns;
beforeAll(async () => {
  runs = await bisectedRuns();
});
afterAll(() => runs.remove());

test('runs that are equal part nowhere, and nothing is computed', async () => {
  expect(await runs.bisect('one', 'one')).toMatchObject({ place: 'nowhere', step: null, replays: [] });
});

test('runs of other samples part by their samples, and nothing is computed', async () => {
  await runs.forge('samples', 1, { ...foreign, batch: '1'.repeat(64) });
  expect(await runs.bisect('one', 'samples')).toMatchObject({
    place: 'samples',
    step: 2,
    sentence: 'step 2 used other images or microbatches in the second run',
    replays: [],
  });
});

test('a setting of the loss shows in the first microbatch, from its losses on', async () => {
  await runs.train('gamma', 'spec.loss.gamma=100');
  const found = await runs.bisect('one', 'gamma');
  expect(found).toMatchObject({
    place: 'microbatch',
    step: 1,
    position: { iteration: 1, epoch: 1, step: 1 },
    settings: ['spec.loss.gamma'],
    microbatch: 0,
    // The forward pass knows nothing of the loss.
    tensors: { state: null, microbatch: { first: { tensor: 'losses', elements: 4 } } },
    afterwards: { step: 1 },
  });
  expect(found.tensors.microbatch!.largest.absolute).toBeGreaterThan(0);
  expect(found.microbatches).toHaveLength(5);
  expect(found.replays).toMatchObject([
    { run: 'one', checkpoint: null, stepsBefore: 0, otherThanLedgerAtStep: null, identityDifferences: [] },
    { run: 'gamma', checkpoint: null, stepsBefore: 0, otherThanLedgerAtStep: null, identityDifferences: [] },
  ]);
  expect(bisectionText(found)).toMatch(/^microbatch 0 +first +losses +\d of 4 +/m);
});
