import type { RunPosition } from '../checkpoint/manifest.js';
import type { TrainingRunSpec } from '../run/training-run.js';

/** Iterations, epochs and steps count from 0. */
export const startPosition: RunPosition = { iteration: 0, epoch: 0, step: 0, phase: 'train', globalStep: 0 };

/** The position after one optimiser step; the epoch may be one past the iteration's last. */
export function advance(position: RunPosition, stepsPerEpoch: number): RunPosition {
  const endsEpoch = position.step + 1 === stepsPerEpoch;
  return {
    ...position,
    epoch: endsEpoch ? position.epoch + 1 : position.epoch,
    step: endsEpoch ? 0 : position.step + 1,
    globalStep: position.globalStep + 1,
  };
}

/** Learning rate of an iteration (counted from 0): decayed after each iteration (counted from 1) of `decayAfter`. */
export function learningRateAt(schedule: TrainingRunSpec['schedule'], iteration: number): number {
  return schedule.decayAfter
    .filter((decay) => decay <= iteration)
    .reduce((rate) => rate * schedule.decayFactor, schedule.learningRate);
}

/** The settings that say when a run is evaluated. */
export interface EvaluationSchedule {
  readonly schedule: TrainingRunSpec['schedule'];
  readonly operation: Pick<TrainingRunSpec['operation'], 'evaluation'>;
}

/** Whether an iteration (counted from 0) is evaluated: every `every`-th, and always the last. */
export function evaluationIsDue(spec: EvaluationSchedule, iteration: number): boolean {
  const done = iteration + 1;
  return done % spec.operation.evaluation.every === 0 || done === spec.schedule.iterations;
}

/**
 * Whether an iteration (counted from 0) ends with making the features that the next one exchanges: once the share
 * `exchnet.start` of all iterations, rounded down, is done, and not at the end of the run.
 */
export function anchorsAreMade(
  { exchnet, schedule }: Pick<TrainingRunSpec, 'exchnet' | 'schedule'>,
  iteration: number,
): boolean {
  const done = iteration + 1;
  return done >= Math.floor(exchnet.start * schedule.iterations) && done < schedule.iterations;
}

/**
 * Whether database codes that the network makes at evaluations are those of the weights at a position: no step came
 * after an evaluated iteration.
 */
export function codesAreOfWeights(spec: EvaluationSchedule, position: RunPosition): boolean {
  const { iteration, epoch, step, phase } = position;
  if (phase === 'evaluate') return evaluationIsDue(spec, iteration);
  return iteration > 0 && epoch === 0 && step === 0 && evaluationIsDue(spec, iteration - 1);
}
