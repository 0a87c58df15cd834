import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PassCount } from '../../src/methods/passes.js';
import {
  type BatchNormMoments,
  mergeMoments,
  updateRunningStatistics,
} from '../../src/model/batch-norm-moments.js';
import { describeNetwork } from '../../src/model/layout.js';
import { tinyTrunks } from '../golden/networks.js';
import { relativeError } from '../golden/support.js';

const layout = describeNetwork(tinyTrunks.tiny_mobile!, { bits: 3, height: 8, width: 8 });
const channels = layout.statisticsCount;

/** Values that the BatchNorms saw: pass, row, channel. */
type Rows = readonly (readonly number[])[];

/** Moments computed directly, every BatchNorm seeing one value per row and channel. */
function momentsOf(passes: readonly Rows[]): BatchNormMoments {
  const mean = new Float64Array(passes.length * channels);
  const squaredDeviations = new Float64Array(mean.length);
  passes.forEach((rows, pass) => {
    for (let channel = 0; channel < channels; channel++) {
      const average = rows.reduce((sum, row) => sum + row[channel]!, 0) / rows.length;
      mean[pass * channels + channel] = average;
      squaredDeviations[pass * channels + channel] = rows.reduce(
        (sum, row) => sum + (row[channel]! - average) ** 2,
        0,
      );
    }
  });
  const counts = passes.flatMap((rows) => layout.batchNorms.map(() => rows.length));
  return { passes: passes.length as PassCount, counts: Float64Array.from(counts), mean, squaredDeviations };
}

const row = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: channels, maxLength: channels });
const rows = fc.array(row, { minLength: 2, maxLength: 8 });

describe('BatchNorm moments', () => {
  it('merge to the moments of all rows together', () => {
    fc.assert(
      fc.property(rows, rows, rows, rows, (left1, left2, right1, right2) => {
        const merged = mergeMoments(layout, momentsOf([left1, left2]), momentsOf([right1, right2]));
        const direct = momentsOf([
          [...left1, ...right1],
          [...left2, ...right2],
        ]);
        expect(merged.counts).toEqual(direct.counts);
        expect(relativeError(merged.mean, direct.mean)).toBeLessThan(1e-12);
        expect(relativeError(merged.squaredDeviations, direct.squaredDeviations)).toBeLessThan(1e-12);
      }),
    );
  });

  it("update running statistics by PyTorch's rule, pass after pass", () => {
    fc.assert(
      fc.property(
        fc.array(rows, { minLength: 1, maxLength: 3 }),
        fc.constantFrom(0.1, 0.5, 1),
        (passes, momentum) => {
          const mean = new Float32Array(channels).fill(0.5);
          const variance = new Float32Array(channels).fill(2);
          updateRunningStatistics(layout, mean, variance, momentsOf(passes), momentum);
          for (let channel = 0; channel < channels; channel++) {
            let runningMean = 0.5;
            let runningVariance = 2;
            for (const pass of passes) {
              const average = pass.reduce((sum, values) => sum + values[channel]!, 0) / pass.length;
              const unbiased =
                pass.reduce((sum, values) => sum + (values[channel]! - average) ** 2, 0) / (pass.length - 1);
              runningMean = (1 - momentum) * runningMean + momentum * average;
              runningVariance = (1 - momentum) * runningVariance + momentum * unbiased;
            }
            expect(Math.abs(mean[channel]! - runningMean)).toBeLessThan(1e-3);
            expect(relativeError([variance[channel]!], [runningVariance])).toBeLessThan(1e-6);
          }
        },
      ),
    );
  });

  it.each([
    [1, 2],
    [3, 1],
  ])('refuse to merge those of %i passes with those of %i', (left, right) => {
    const pass = [new Array(channels).fill(1), new Array(channels).fill(2)];
    const ofPasses = (count: number) => momentsOf(new Array(count).fill(pass));
    expect(() => mergeMoments(layout, ofPasses(left), ofPasses(right))).toThrow(
      expect.objectContaining({
        code: 'MODEL_MOMENTS',
        message: `BatchNorm moments of ${left} and ${right} passes cannot be merged`,
      }),
    );
  });

  it('refuse those of another network', () => {
    const other = describeNetwork(tinyTrunks.tiny_plain!, { bits: 3, height: 8, width: 8 });
    const moments = momentsOf([[new Array(channels).fill(1), new Array(channels).fill(2)]]);
    const statistics = new Float32Array(other.statisticsCount);
    expect(() => updateRunningStatistics(other, statistics, statistics, moments, 0.1)).toThrow(
      expect.objectContaining({
        code: 'MODEL_MOMENTS',
        message: `BatchNorm moments of ${channels} channels in 1 passes do not fit, expected ${other.statisticsCount}`,
      }),
    );
  });
});
