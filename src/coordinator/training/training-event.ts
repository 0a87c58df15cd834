import type { StepPhase } from '../dispatch/step-phases.js';
import type { WorkEvent } from '../dispatch/work-event.js';
import type { EvaluationRecord, UntrainedFigures } from './run-state.js';

/** An event of training. Iterations count from 1. */
export type TrainingEvent =
  | WorkEvent
  | {
      readonly type: 'step.done';
      /** By term, in the order of `lossTermsOf`. */
      readonly losses: Float64Array;
      readonly seconds: number;
      /** Seconds of each phase. Their sum is `seconds`. */
      readonly phases: Readonly<Record<StepPhase, number>>;
      readonly images: number;
      /** Euclidean norm of the batch's gradient before it was clipped; null where gradients are not clipped. */
      readonly gradientNorm: number | null;
    }
  /** The V-step's objective after one bit. Only with `operation.debug.objectivePerBit`. */
  | {
      readonly type: 'objective';
      readonly iteration: number;
      readonly bit: number;
      readonly value: number;
    }
  | {
      readonly type: 'codes.updated';
      readonly iteration: number;
      readonly flippedBits: number;
      /** Time of the V-step. */
      readonly seconds: number;
      /** Time of encoding the sampled images before the V-step. */
      readonly encodingSeconds: number;
    }
  /** Images were encoded: `done` of `total`. */
  | {
      readonly type: 'encoding';
      readonly what: string;
      readonly done: number;
      readonly total: number;
    }
  /** A hash function is being learned from features, which can take minutes. */
  | { readonly type: 'learning.begun'; readonly method: string }
  | { readonly type: 'untrained.begun' }
  | { readonly type: 'untrained.measured'; readonly figures: UntrainedFigures }
  | {
      readonly type: 'evaluated';
      readonly iteration: number;
      readonly evaluation: EvaluationRecord;
      readonly seconds: number;
    };
