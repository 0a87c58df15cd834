import type { Dataset } from '../../data/dataset.js';
import { adshObjective, type SampledOutputs, updateDatabaseCodes } from '../../hashing/adsh.js';
import { type CodeSummary, sizesOfClasses, softRatio, summarizeCodes } from '../../hashing/similarity.js';
import type { CodeMaking, CodesContext } from './code-making.js';
import { encodeCodes } from './encode-on-workers.js';
import { encodeOutputs } from './encode-outputs.js';

/** ADSH and what extends it: database codes are learned by the V-step, query codes are the network's signs. */
export const adshCodes: CodeMaking = {
  async databaseCodes(context) {
    const { spec, state, omega, weights, clock } = context;
    if (spec.sampledOutputs === 'encoded') {
      state.u.set(await encodeOutputs(context, weights, omega, state.position.iteration));
    }
    const started = clock.nowMs();
    const sampled = sampledOutputs(context);
    const { codes, flippedBits } = updateDatabaseCodes({
      ...sampled,
      codes: state.codes,
      onBit: spec.operation.debug.objectivePerBit ? objectiveReport(context, sampled) : undefined,
    });
    return { codes, hash: null, anchored: null, flippedBits, seconds: (clock.nowMs() - started) / 1000 };
  },

  queryCodes(context, weights, _hash, images, verification) {
    return encodeCodes(context, weights, 'TEST', images, verification);
  },
};

/** What the loss of an iteration needs of V `[n, bits]`. */
export function summaryOfCodes(
  dataset: Dataset,
  codes: Int8Array,
  bits: number,
  omega: Int32Array,
): CodeSummary {
  const { labels } = dataset.train;
  const classCount = dataset.classNames.length;
  return summarizeCodes({ codes, labels, bits, classCount, ratio: ratioOf(dataset, omega) });
}

function ratioOf({ train, classNames }: Dataset, omega: Int32Array): number {
  return softRatio(
    omega.map((row) => train.labels[row]!),
    sizesOfClasses(train.labels, classNames.length),
  );
}

function sampledOutputs({ spec, dataset, state, omega }: CodesContext): SampledOutputs {
  return {
    labels: dataset.train.labels,
    bits: spec.bits,
    classCount: dataset.classNames.length,
    omega,
    u: state.u,
    ratio: ratioOf(dataset, omega),
    gamma: spec.loss.gamma,
  };
}

function objectiveReport({ notify, state }: CodesContext, sampled: SampledOutputs) {
  const iteration = state.position.iteration + 1;
  return (bit: number, codes: Int8Array) => {
    notify({ type: 'objective', iteration, bit, value: adshObjective({ ...sampled, codes }) });
  };
}
