import { type Method, usesErasing, usesPositives } from './methods.js';

/** What positives are one batch of batch normalisation with: the anchors, or nothing else. */
export const positivesBatches = ['with-anchors', 'apart'] as const;

/** The forward passes whose moments move the running statistics: all in order, or the one that has the anchors. */
export const statisticsPasses = ['every-pass', 'anchors'] as const;

/** How the branches of a microbatch share batch normalisation. */
export interface BatchNormalisation {
  readonly positives: (typeof positivesBatches)[number];
  readonly runningStatistics: (typeof statisticsPasses)[number];
}

/** What a run has that says nothing else, and one from before these settings. */
export const usualBatchNormalisation: BatchNormalisation = {
  positives: 'with-anchors',
  runningStatistics: 'every-pass',
};

/**
 * Share that a batch has in the running statistics after it, where a run says nothing else: PyTorch's default of `momentum`.
 * After k batches, (1 − momentum)^k is left of the statistics before them.
 */
export const usualStatisticsMomentum = 0.1;

/** Images of a microbatch, one for each row: anchors, their positives, or the anchors with erased regions. */
export type Branch = 'anchor' | 'positive' | 'erased';

/** Branches whose images go through the network together, one behind the other. They are one BatchNorm batch. */
export type ForwardPass = readonly Branch[];

/** Number of forward passes of a microbatch. */
export type PassCount = 1 | 2 | 3;

interface PassSettings {
  readonly method: Method;
  readonly batchNormalisation: BatchNormalisation;
}

/** The forward passes of a microbatch in order. The anchors are the first rows of the first one. */
export function forwardPasses({ method, batchNormalisation }: PassSettings): readonly ForwardPass[] {
  const positive: ForwardPass = usesPositives(method) ? ['positive'] : [];
  const erased: ForwardPass = usesErasing(method) ? ['erased'] : [];
  const passes: readonly ForwardPass[] =
    batchNormalisation.positives === 'apart'
      ? [['anchor'], positive, erased]
      : [['anchor', ...positive], erased];
  return passes.filter((pass) => pass.length > 0);
}

/** Number of passes, the first ones, whose moments move the running statistics. Workers send only these. */
export function momentPasses(settings: PassSettings): PassCount {
  if (settings.batchNormalisation.runningStatistics === 'anchors') return 1;
  return forwardPasses(settings).length as PassCount;
}

/** Rows for each anchor in the forward pass that has the fewest. */
export function leastRowsPerAnchor(settings: PassSettings): number {
  return Math.min(...forwardPasses(settings).map((pass) => pass.length));
}

/** The settings that a method can follow: the usual ones where it has no positives, or one pass only. */
export function batchNormalisationOf(method: Method, asked: BatchNormalisation): BatchNormalisation {
  const positives = usesPositives(method) ? asked.positives : usualBatchNormalisation.positives;
  const { length } = forwardPasses({ method, batchNormalisation: { ...asked, positives } });
  const { runningStatistics } = length > 1 ? asked : usualBatchNormalisation;
  return { positives, runningStatistics };
}
