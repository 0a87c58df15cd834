import type { PassCount } from '../methods/passes.js';
import { ModelError } from './error.js';
import type { NetworkLayout } from './layout.js';

/**
 * Moments of every BatchNorm's input over some rows of a batch, for each forward pass that moves the running statistics. They
 * add up over microbatches (`mergeMoments`), so the statistics can be updated once for the whole batch.
 */
export interface BatchNormMoments {
  readonly passes: PassCount;
  /** Values per channel `[passes, batchNorms]` */
  readonly counts: Float64Array<ArrayBuffer>;
  /** `[passes, statisticsCount]` */
  readonly mean: Float64Array<ArrayBuffer>;
  /** Sums of squared deviations from the mean `[passes, statisticsCount]` */
  readonly squaredDeviations: Float64Array<ArrayBuffer>;
}

/**
 * Moments of the union of two disjoint sets of rows, in float64 (Chan, Golub and LeVeque 1983): δ = mean_r − mean_l;
 * mean = mean_l + δ·n_r/n; M = M_l + M_r + δ²·n_l·n_r/n.
 * @throws ModelError `MODEL_MOMENTS` when the two are not from the same network and method
 */
export function mergeMoments(
  layout: NetworkLayout,
  left: BatchNormMoments,
  right: BatchNormMoments,
): BatchNormMoments {
  checkMoments(layout, left);
  checkMoments(layout, right);
  if (left.passes !== right.passes) {
    throw new ModelError(
      'MODEL_MOMENTS',
      `BatchNorm moments of ${left.passes} and ${right.passes} passes cannot be merged`,
    );
  }
  const counts = new Float64Array(left.counts.length);
  const mean = new Float64Array(left.mean.length);
  const squaredDeviations = new Float64Array(left.mean.length);
  forEachLayer(layout, left.passes, (layer, begin, end) => {
    const partsOf = (moments: Pick<BatchNormMoments, 'mean' | 'squaredDeviations'>) => ({
      mean: moments.mean.subarray(begin, end),
      squaredDeviations: moments.squaredDeviations.subarray(begin, end),
    });
    counts[layer] = mergeChannels(
      { count: left.counts[layer]!, ...partsOf(left) },
      { count: right.counts[layer]!, ...partsOf(right) },
      partsOf({ mean, squaredDeviations }),
    );
  });
  return { passes: left.passes, counts, mean, squaredDeviations };
}

/** Moments of the channels of one BatchNorm in one pass. */
interface ChannelMoments {
  /** Values per channel. */
  readonly count: number;
  readonly mean: Float64Array;
  readonly squaredDeviations: Float64Array;
}

/** @param into may be the left one @returns the count of both */
export function mergeChannels(
  left: ChannelMoments,
  right: ChannelMoments,
  into: Omit<ChannelMoments, 'count'>,
): number {
  const count = left.count + right.count;
  const share = right.count / count;
  const weight = left.count * share;
  for (let i = 0; i < left.mean.length; i++) {
    const delta = right.mean[i]! - left.mean[i]!;
    into.mean[i] = left.mean[i]! + delta * share;
    into.squaredDeviations[i] =
      left.squaredDeviations[i]! + right.squaredDeviations[i]! + delta * delta * weight;
  }
  return count;
}

/**
 * Moves the running statistics towards a batch's, in place, once per pass in order: running = (1 − momentum)·running +
 * momentum·batch, with the unbiased variance M/(n − 1), as PyTorch does. Each update is computed in float64 and rounded
 * once.
 * @param mean running means `[statisticsCount]`
 * @param variance running variances `[statisticsCount]`
 * @param moments of the whole batch; every BatchNorm has at least two values per channel
 * @param momentum above 0, at most 1
 */
export function updateRunningStatistics(
  layout: NetworkLayout,
  mean: Float32Array,
  variance: Float32Array,
  moments: BatchNormMoments,
  momentum: number,
): void {
  checkMoments(layout, moments);
  forEachLayer(layout, moments.passes, (layer, begin, end) => {
    const degrees = moments.counts[layer]! - 1;
    for (let i = begin; i < end; i++) {
      const channel = i % layout.statisticsCount;
      mean[channel] = (1 - momentum) * mean[channel]! + momentum * moments.mean[i]!;
      variance[channel] =
        (1 - momentum) * variance[channel]! + (momentum * moments.squaredDeviations[i]!) / degrees;
    }
  });
}

/** Calls `visit` for each BatchNorm of each pass, with its index in the counts and in the statistics. */
function forEachLayer(
  layout: NetworkLayout,
  passes: number,
  visit: (layer: number, begin: number, end: number) => void,
): void {
  for (let pass = 0; pass < passes; pass++) {
    layout.batchNorms.forEach(({ offset, channels }, index) => {
      const begin = pass * layout.statisticsCount + offset;
      visit(pass * layout.batchNorms.length + index, begin, begin + channels);
    });
  }
}

function checkMoments(layout: NetworkLayout, moments: BatchNormMoments): void {
  const { passes, counts, mean, squaredDeviations } = moments;
  const statistics = passes * layout.statisticsCount;
  if (
    counts.length !== passes * layout.batchNorms.length ||
    mean.length !== statistics ||
    squaredDeviations.length !== statistics
  ) {
    throw new ModelError(
      'MODEL_MOMENTS',
      `BatchNorm moments of ${mean.length} channels in ${passes} passes do not fit, expected ${statistics}`,
    );
  }
}
