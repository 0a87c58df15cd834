import { momentPasses } from '../methods/passes.js';
import type { ModelLayout } from '../model/layout.js';
import { momentBlocks, packMoments } from '../model/packed-moments.js';
import { wireWeightBytes } from '../model/wire-weights.js';
import type { TrainingRunSpec } from '../run/training-run.js';
import { wireBytes } from '../transport/wire-vector.js';
import type { ComputingRun } from './computing-run.js';

/** Sizes of what a worker of a run sends and receives. */
export function runShape(
  layout: ModelLayout,
  spec: TrainingRunSpec,
): Pick<ComputingRun, 'weightBytes' | 'exchangeShape' | 'packMoments'> {
  const { schedule, wire } = spec;
  const { precision } = wire;
  const weightBytes = wireWeightBytes(layout, precision);
  return {
    weightBytes,
    exchangeShape: {
      precision,
      gradientCount: layout.parameterCount,
      momentBlocks: momentBlocks(layout, momentPasses(spec)),
      weightCount: weightBytes / wireBytes(precision, 1),
      microbatches: schedule.microbatches,
    },
    packMoments: (moments) => packMoments(layout, moments),
  };
}
