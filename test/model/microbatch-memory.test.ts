import { expect, test } from 'vitest';
import { describeModel, describeRunModel } from '../../src/model/layout.js';
import { countActivations, leastMicrobatchBytes, microbatchRows } from '../../src/model/microbatch-memory.js';
import { readTrainingRun } from '../../src/run/read.js';

const paper = (...changed: string[]) =>
  readTrainingRun(
    'examples/cub-24bit.yaml',
    changed.map((each) => `spec.${each}`),
  ).spec;

/** Radosavovic et al., Designing Network Design Spaces (2020): millions of outputs of convolutions at 224 × 224. */
test.each([
  ['resnet50', 11.1],
  ['resnet18', 2.5],
] as const)('%s has as many outputs of convolutions as the literature says', (backbone, millions) => {
  const { convolutions } = countActivations(describeModel({ backbone, width: 1, bits: 12, imageSize: 224 }));
  expect(convolutions / 1e6).toBeCloseTo(millions, 1);
});

test('a network of one convolution, counted by hand', () => {
  const { trunk, ...layout } = describeModel({ backbone: 'resnet18', width: 1, bits: 12, imageSize: 32 });
  const [first] = trunk.layers;
  // 7 × 7 with stride 2 on 32 × 32 pixels: 16 × 16 × 64, before and after BatchNorm and ReLU.
  expect(countActivations({ ...layout, trunk: { ...trunk, layers: [first!] } })).toEqual({
    convolutions: 16 * 16 * 64,
    kept: 2 * 16 * 16 * 64 + 32 * 32 * 3,
  });
});

test('memory grows with rows and with the images of each, on top of weights and gradient', () => {
  const spec = paper('schedule.microbatches=8');
  const layout = describeRunModel(spec);
  const fixed = 8 * layout.parameterCount;
  const ofImages = leastMicrobatchBytes(spec) - fixed;
  expect(microbatchRows(spec)).toBe(8);
  expect(leastMicrobatchBytes(paper('schedule.microbatches=16')) - fixed).toBe(ofImages / 2);
  expect(leastMicrobatchBytes(paper('schedule.microbatches=8', 'method=baseline')) - fixed).toBeLessThan(
    ofImages,
  );
  // About 90 MB for each of 24 images.
  expect(ofImages / 24 / 1e6).toBeGreaterThan(80);
  expect(ofImages / 24 / 1e6).toBeLessThan(100);
});

test('a batch that its microbatches do not divide counts by the largest', () => {
  expect(microbatchRows(paper('schedule.batchSize=13', 'schedule.microbatches=5'))).toBe(3);
});
