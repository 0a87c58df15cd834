import type { RunPosition } from '../../checkpoint/manifest.js';
import { KeyedRandom } from '../../data/random.js';
import type { TripletSampler } from '../../data/sampler.js';
import { isUnset, packCodes, wordsPerCode } from '../../hashing/codes.js';
import { batchSha256 } from '../../ledger/entry.js';
import { pairLoss, usesPositives } from '../../methods/methods.js';
import { momentPasses } from '../../methods/passes.js';
import type { ModelLayout } from '../../model/layout.js';
import { ReductionTree } from '../../reduction/tree.js';
import type { TrainingRunSpec } from '../../run/training-run.js';
import { exchangedParts } from '../../schedule/exchanged-parts.js';
import { leafImages } from '../../schedule/leaf-images.js';
import { advance } from '../../schedule/schedule.js';
import { verifiedLeaves } from '../../schedule/verified-leaves.js';
import { bytesOf } from '../../transport/bytes.js';
import type { GradientStep } from '../dispatch/gradient-work.js';
import type { IterationMessage, OutgoingWeights } from '../dispatch/outgoing-weights.js';
import type { StepPhases } from '../dispatch/step-phases.js';

interface StepDescription {
  readonly spec: TrainingRunSpec;
  readonly term: number;
  readonly position: RunPosition;
  readonly sampler: TripletSampler;
  /** V `[n, bits]`, ±1 or all 0 */
  readonly codes: Int8Array;
  /** Whether there are features of the classes that local ones are exchanged for. */
  readonly exchanges: boolean;
  readonly layout: ModelLayout;
  readonly weights: OutgoingWeights;
  readonly context: IterationMessage | null;
  readonly phases: StepPhases;
}

export interface DescribedStep extends GradientStep {
  /** SHA-256 of the batch's samples, for the ledger. */
  readonly batchSha256: string;
}

/**
 * Describes the step at a position by its microbatches, and names the images of the next step, which workers load in
 * advance.
 */
export function describeStep(description: StepDescription): DescribedStep {
  const { spec, term, position, sampler, codes, exchanges, layout, weights, context, phases } = description;
  const { iteration, epoch, step } = position;
  const { microbatches } = spec.schedule;
  const { bits } = spec;
  const batch = sampler.batch(iteration, epoch, step);
  const tree = new ReductionTree(batch.anchors.length, microbatches);
  const words = wordsPerCode(bits);
  const hasCodes = !pairLoss(spec.method) && !isUnset(codes);
  const ownCodes = hasCodes ? packCodes(gatherRows(codes, batch.anchors, bits), bits) : null;
  const exchanged = exchanges ? exchangedParts(spec, position, batch.anchors) : null;
  const withPositives = usesPositives(spec.method);
  const images = new Map(leafImages(tree, batch, withPositives).map((leaf) => [leaf.index, leaf]));
  return {
    term,
    position: { iteration, epoch, step },
    tree,
    shape: { layout, passes: momentPasses(spec), precision: spec.wire.precision },
    weights,
    context,
    phases,
    verified: verifiedLeaves(
      new KeyedRandom(spec.seed),
      spec.operation.verification.rate,
      position,
      tree.leaves,
      microbatches,
    ),
    strict: spec.operation.exactness === 'strict',
    batchSha256: batchSha256(images.values()),
    leaf: (index) => {
      const { start, end } = tree.rowsOf(index);
      const { anchors, positives } = images.get(index)!;
      return {
        index,
        anchors: bufferOf(anchors),
        positives: bufferOf(positives),
        ...(exchanged && { exchangedParts: bufferOf(exchanged.subarray(start, end)) }),
        ...(ownCodes && { ownCodes: bufferOf(ownCodes.subarray(start * words, end * words)) }),
      };
    },
    upcoming: (leaves) => {
      const next = nextTraining(position, sampler.batches(), spec.schedule);
      if (!next) return null;
      const { iteration, epoch, step } = next;
      const ahead = sampler.batch(iteration, epoch, step);
      const aheadTree = new ReductionTree(ahead.anchors.length, microbatches);
      const rowsOf = (images: Int32Array) =>
        leaves.flatMap((leaf) => {
          const { start, end } = aheadTree.rowsOf(leaf);
          return [...images.subarray(start, end)];
        });
      const images = [...rowsOf(ahead.anchors), ...(withPositives ? rowsOf(ahead.positives) : [])];
      return { position: { iteration, epoch, step }, images: bytesOf(Int32Array.from(images)) };
    },
  };
}

/** The position of the optimiser step after this one, or null after the last. */
function nextTraining(
  position: RunPosition,
  steps: number,
  { epochs, iterations }: TrainingRunSpec['schedule'],
): RunPosition | null {
  const next = advance(position, steps);
  if (next.epoch < epochs) return next;
  return next.iteration + 1 < iterations
    ? { ...next, iteration: next.iteration + 1, epoch: 0, step: 0 }
    : null;
}

function gatherRows(codes: Int8Array, rows: Int32Array, bits: number): Int8Array {
  const gathered = new Int8Array(rows.length * bits);
  rows.forEach((row, i) => {
    gathered.set(codes.subarray(row * bits, (row + 1) * bits), i * bits);
  });
  return gathered;
}

function bufferOf(array: ArrayBufferView): Buffer {
  return Buffer.from(array.buffer as ArrayBuffer, array.byteOffset, array.byteLength);
}
