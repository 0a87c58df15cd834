import { changedBits, unpackCodes } from '../../hashing/codes.js';
import { evaluationIsDue } from '../../schedule/schedule.js';
import type { OutgoingWeights } from '../dispatch/outgoing-weights.js';
import type { CodeMaking } from './code-making.js';
import { type EncodeRequest, type EvaluationContext, encodeCodes } from './encode-on-workers.js';

/**
 * Database and query codes are the signs of the network's outputs. Database codes are made where they are evaluated:
 * no step depends on them.
 */
export const networkCodes: CodeMaking = {
  async databaseCodes(context) {
    const { spec, state, weights } = context;
    const { iteration } = state.position;
    const before = state.codes;
    if (!evaluationIsDue(spec, iteration))
      return { codes: before, hash: null, anchored: null, flippedBits: 0, seconds: 0 };
    const codes = await databaseCodesOfNetwork(context, weights, { iteration, phase: 0 });
    return { codes, hash: null, anchored: null, flippedBits: changedBits(before, codes), seconds: 0 };
  },

  queryCodes(context, weights, _hash, images, verification) {
    return encodeCodes(context, weights, 'TEST', images, verification);
  },
};

/** Signs of the outputs of all training images ±1 `[n, bits]`; rejects with the signal's reason when aborted. */
export async function databaseCodesOfNetwork(
  context: EvaluationContext,
  weights: OutgoingWeights,
  verification: EncodeRequest['verification'],
): Promise<Int8Array> {
  const count = context.dataset.train.labels.length;
  const images = Uint32Array.from({ length: count }, (_, i) => i);
  const packed = await encodeCodes(context, weights, 'TRAIN', images, verification);
  return unpackCodes(packed, count, context.spec.bits);
}
