import { expect, test } from 'vitest';
import { checkDatasetFit } from '../../src/run/dataset-fit.js';
import { failure } from '../kit/failure.js';
import { run } from './support.js';

const birds = { format: 'cub', trainCount: 500 } as const;
const tiny = [
  'spec.model.imageSize=32',
  'spec.method=baseline',
  'spec.dataset.sampleSize=400',
  'spec.schedule.microbatches=8',
];

test('as many samples as training images fit, one more does not', () => {
  checkDatasetFit(run('spec.dataset.sampleSize=500'), birds);
  expect(() => checkDatasetFit(run('spec.dataset.sampleSize=501'), birds)).toThrow(
    failure(
      'RUN_DOES_NOT_FIT_DATASET',
      'spec.dataset.sampleSize is 501, but the train split has only 500 images; set it to at most 500',
    ),
  );
});

test('a last batch whose microbatch has one value per channel is refused', () => {
  // 400 = 6 · 64 + 16: two rows in each microbatch; 392 leaves 8 rows, one in each.
  checkDatasetFit(run(...tiny, 'spec.dataset.sampleSize=400'), birds);
  expect(() => checkDatasetFit(run(...tiny, 'spec.dataset.sampleSize=392'), birds)).toThrow(
    'a batch of 8 in 8 microbatches (spec.schedule.microbatches) gives one with 1 value per BatchNorm channel ' +
      'at 32 pixels, but each needs at least 2',
  );
});

test('a full batch in too many microbatches is refused', () => {
  expect(() => checkDatasetFit(run(...tiny, 'spec.schedule.microbatches=40'), birds)).toThrow(
    'a batch of 64 in 40',
  );
});

test('one row is enough where the last map has more pixels, or the positive shares the batch', () => {
  checkDatasetFit(run(...tiny, 'spec.dataset.sampleSize=392', 'spec.model.imageSize=33'), birds);
  checkDatasetFit(run(...tiny, 'spec.dataset.sampleSize=392', 'spec.method=esrl'), birds);
});

test('one row is not enough where the positive has a batch of its own', () => {
  const apart = [...tiny, 'spec.method=esrl', 'spec.batchNormalisation.positives=apart'];
  checkDatasetFit(run(...apart, 'spec.dataset.sampleSize=400'), birds);
  expect(() => checkDatasetFit(run(...apart, 'spec.dataset.sampleSize=392'), birds)).toThrow(
    'gives one with 1 value per BatchNorm channel',
  );
});

test('a method on features fits every dataset', () => {
  checkDatasetFit(run(...tiny, 'spec.dataset.sampleSize=392', 'spec.method=itq'), birds);
  checkDatasetFit(run('spec.method=sdh'), { format: 'cub', trainCount: 4 });
});

test('another dataset than the run file names is refused', () => {
  checkDatasetFit(run('spec.dataset.kind=cub', 'spec.dataset.sampleSize=500'), birds);
  expect(() => checkDatasetFit(run('spec.dataset.kind=nabirds'), birds)).toThrow(
    'spec.dataset.kind is nabirds, but the folder data/test has the layout of cub',
  );
});
