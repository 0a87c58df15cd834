import type { OutgoingWeights } from '../dispatch/outgoing-weights.js';
import type { EncodeContext, EncodeRequest, EvaluationContext } from './encode-on-workers.js';
import type { RunState } from './run-state.js';
import type { TrainingEvent } from './training-event.js';

/** What the database codes of an iteration are made from. */
export interface CodesContext extends EvaluationContext {
  readonly notify: (event: TrainingEvent) => void;
  /** Positions in the train split that the iteration trained on `[m]` */
  readonly omega: Int32Array;
  readonly weights: OutgoingWeights;
  readonly state: RunState;
}

export interface MadeCodes {
  /** New V, ±1 `[n, bits]` */
  readonly codes: Int8Array;
  /** Bits in which they differ from the old ones. */
  readonly flippedBits: number;
  /** Time of making them, without encoding images. */
  readonly seconds: number;
}

/** How a method makes binary codes. The optimiser steps of an iteration come before it, if the method has any. */
export interface CodeMaking {
  /** Makes the database codes at the end of an iteration. Rejects with the signal's reason when aborted. */
  databaseCodes(context: CodesContext): Promise<MadeCodes>;
  /**
   * Makes the codes of queries.
   * @param images positions in the test split
   * @returns packed `[images, wordsPerCode(bits)]`; rejects with the signal's reason when aborted
   */
  queryCodes(
    context: EncodeContext,
    weights: OutgoingWeights,
    images: Uint32Array,
    verification: EncodeRequest['verification'],
  ): Promise<Uint32Array>;
}
