import type { HashFunction } from '../../methods/method.js';
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
  /** What makes codes of features; null where the network makes codes. */
  readonly hash: HashFunction | null;
  /** New local features of the classes, as of `RunState.anchored`; null where there are none. */
  readonly anchored: Float32Array<ArrayBuffer> | null;
  /** Bits in which they differ from the old ones. */
  readonly flippedBits: number;
  /** Time of making them, without encoding images. */
  readonly seconds: number;
}

/** How a kind of method makes binary codes, after the optimiser steps of an iteration, if it has any. */
export interface CodeMaking {
  /** Makes the database codes at the end of an iteration. Rejects with the signal's reason when aborted. */
  databaseCodes(context: CodesContext): Promise<MadeCodes>;
  /**
   * Makes the codes of queries.
   * @param hash of the run's newest database codes
   * @param images positions in the test split
   * @returns packed `[images, wordsPerCode(bits)]`; rejects with the signal's reason when aborted
   */
  queryCodes(
    context: EncodeContext,
    weights: OutgoingWeights,
    hash: HashFunction | null,
    images: Uint32Array,
    verification: EncodeRequest['verification'],
  ): Promise<Uint32Array>;
}
