import type { WorkEvent } from '../dispatch/work-event.js';
import type { EvaluationRecord, UntrainedFigures } from './run-state.js';

/** What happens while a run trains. Iterations count from 1. */
export type TrainingEvent =
  | WorkEvent
  | {
      readonly type: 'step.done';
      /** By term, in the order of `lossTerms`. */
      readonly losses: Float64Array;
      readonly seconds: number;
      readonly images: number;
    }
  /** The V-step's objective after one bit; only where the run file asks for it. */
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
      /** Of the V-step. */
      readonly seconds: number;
      /** Of encoding the sampled images before it. */
      readonly encodingSeconds: number;
    }
  /** Images were encoded: `done` of `total`. */
  | {
      readonly type: 'encoding';
      readonly what: string;
      readonly done: number;
      readonly total: number;
    }
  | { readonly type: 'untrained.begun' }
  | { readonly type: 'untrained.measured'; readonly figures: UntrainedFigures }
  | {
      readonly type: 'evaluated';
      readonly iteration: number;
      readonly evaluation: EvaluationRecord;
      readonly seconds: number;
    };
