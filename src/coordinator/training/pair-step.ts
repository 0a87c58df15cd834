import type { TripletBatch } from '../../data/sampler.js';
import { sizesOfClasses } from '../../hashing/similarity.js';
import type { PairLoss } from '../../methods/method.js';
import { methodSettingsOf } from '../../methods/settings.js';
import { lossTerms } from '../../model/loss.js';
import { bytesOf } from '../../transport/bytes.js';
import { runEncodeJob } from '../dispatch/encode-job.js';
import type { WorkSurroundings } from '../dispatch/work-surroundings.js';
import type { DescribedStep } from './describe-step.js';
import { type EvaluationContext, refuseValues } from './encode-on-workers.js';
import type { RunState } from './run-state.js';

/** A step's loss over pairs. */
export interface PairedStep {
  /** The step's microbatches, each with the derivatives of the loss by its outputs. */
  readonly leaf: DescribedStep['leaf'];
  /** In the order of `lossTerms` */
  readonly losses: Float64Array;
}

/**
 * The first phase of a step whose loss is over pairs: the workers compute the outputs of every microbatch, and this
 * process the loss of the batch and its derivatives by the outputs, once and in a fixed order. In the second phase the
 * workers compute the microbatches again and go back from these derivatives. So the result does not depend on who
 * computes what, and a worker keeps nothing between the phases.
 * @param described the step without its loss
 * @returns rejects as `runEncodeJob` does
 */
export async function pairStep(
  described: DescribedStep,
  { anchors }: Pick<TripletBatch, 'anchors'>,
  loss: PairLoss,
  state: Pick<RunState, 'u' | 'position'>,
  context: WorkSurroundings & Pick<EvaluationContext, 'spec' | 'dataset'>,
): Promise<PairedStep> {
  const { spec, dataset } = context;
  const { tree, weights, term, position, verified, strict } = described;
  const { bits, outputs: width } = described.shape.layout;
  const bytes = await runEncodeJob(
    {
      term,
      output: 'TRAINING',
      split: 'TRAIN',
      images: Uint32Array.from(anchors),
      bytesPerImage: 4 * width,
      weights,
      verified: tree.leaves.flatMap((leaf, batch) => (verified.includes(leaf) ? [batch] : [])),
      strict,
      microbatches: { position, ends: tree.leaves.map((leaf) => tree.rowsOf(leaf).end) },
      implausible: refuseValues('output', Number.isFinite, 'a finite number'),
    },
    () => {},
    context,
  );
  const outputs = new Float32Array(bytes.buffer);
  const { labels } = dataset.train;
  const result = loss.compute({
    outputs,
    images: anchors,
    labels,
    classSizes: sizesOfClasses(labels, dataset.classNames.length),
    bits,
    stored: loss.storesOutputs ? withRows(state.u, anchors, outputs, bits) : null,
    step: state.position.globalStep,
    settings: methodSettingsOf(spec),
  });
  described.phases.paired();
  const gradient = Float32Array.from(result.gradient);
  const losses = new Float64Array(lossTerms.length);
  losses.set([result.similarity, result.quantisation]);
  const leaf = (index: number) => {
    const { start, end } = tree.rowsOf(index);
    const outputGradient = Buffer.from(bytesOf(gradient.subarray(start * width, end * width)));
    return { ...described.leaf(index), outputGradient };
  };
  return { leaf, losses };
}

/** A copy of a matrix `[n, bits]` with some rows replaced. */
function withRows(matrix: Float32Array, rows: Int32Array, values: Float32Array, bits: number): Float32Array {
  const copy = matrix.slice();
  rows.forEach((row, i) => {
    copy.set(values.subarray(i * bits, (i + 1) * bits), row * bits);
  });
  return copy;
}
