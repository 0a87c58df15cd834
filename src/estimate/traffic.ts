import { KeyedRandom } from '../data/random.js';
import { wordsPerCode } from '../hashing/codes.js';
import {
  featureMethod,
  networkMakesDatabase,
  pairLoss,
  usesErasing,
  usesPositives,
} from '../methods/methods.js';
import type { ModelLayout } from '../model/layout.js';
import { payloadBytes } from '../reduction/payload.js';
import { ReductionTree } from '../reduction/tree.js';
import { histogramBins } from '../retrieval/histogram.js';
import type { TrainingRunSpec } from '../run/training-run.js';
import { assignLeaves } from '../schedule/assignment.js';
import { encodeBatchSize } from '../schedule/encode-batches.js';
import { verifiedLeaves } from '../schedule/verified-leaves.js';
import { chunkBytes } from '../transport/tensor-stream.js';
import { wireBytes } from '../transport/wire-vector.js';
import { type DatasetCounts, encodedQueries, encodedSamples, evaluations, type RunWork } from './work.js';

/** Bytes of messages, without gRPC framing, as the coordinator's counters count them. */
export interface Traffic {
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

/** Term, checksum, numbers and tags of one message. Some bytes more or less do not matter beside its tensors. */
const messageBytes = 30;
/** Index, tag and SHA-256 of one microbatch in a result of several. */
const digestBytes = 40;

/**
 * What a run sends and receives with this number of workers from its first to its last step, if no worker is lost:
 * mainly weights and gradients. Heartbeats and logs depend on time and are not included.
 */
export function estimateTraffic(
  spec: TrainingRunSpec,
  layout: ModelLayout,
  counts: DatasetCounts,
  work: RunWork,
  workers: number,
): Traffic {
  const step = new StepTraffic(spec, layout, workers);
  const epochs = spec.schedule.iterations * spec.schedule.epochs;
  const total = { sentBytes: 0, receivedBytes: 0 };
  const add = (traffic: Traffic, times: number) => {
    total.sentBytes += times * traffic.sentBytes;
    total.receivedBytes += times * traffic.receivedBytes;
  };
  for (const [batch, rows] of work.batches.entries()) {
    add(step.of(rows, work.batches[(batch + 1) % work.batches.length]!), epochs);
  }
  add(step.verification(work), 1);
  const busy = Math.min(workers, step.leavesOf(work.batches[0]!));
  const comparesPairs = pairLoss(spec.method) !== null;
  if (comparesPairs) for (const rows of work.batches) add(step.pairing(rows), epochs);
  const trainedIterations = epochs > 0 && !comparesPairs ? spec.schedule.iterations : 0;
  add({ sentBytes: busy * contextBytes(spec, counts), receivedBytes: 0 }, trainedIterations);
  const encodesFeatures = featureMethod(spec.method) !== null;
  const featureBytes = 4 * layout.featureWidth;
  const queryBytes = encodesFeatures ? featureBytes : 4 * wordsPerCode(spec.bits);
  add(encodeTraffic(encodedQueries(spec, counts), queryBytes), 1);
  const samples = encodedSamples(spec, counts);
  const isLearned = !encodesFeatures && !networkMakesDatabase(spec.method);
  add(encodeTraffic(samples, isLearned ? 4 * spec.bits : queryBytes), 1);
  // The weights after the last step are only sent for the last V-step and evaluation. The weights for other V-steps are
  // also those of the next step, but idle workers get them too.
  const fed = (images: number) => Math.min(workers, Math.ceil(images / (2 * encodeBatchSize)));
  const fedSamples = samples > 0 ? fed(samples / spec.schedule.iterations) : 0;
  const fedBoth = Math.max(fedSamples, fed(counts.test));
  const spares = (encoding: number) => Math.max(0, encoding - busy);
  const evaluated = evaluations(spec) - 1;
  const unevaluated = spec.schedule.iterations - 1 - evaluated;
  add(step.weights, fedBoth + spares(fedBoth) * evaluated + spares(fedSamples) * unevaluated);
  if (spec.operation.evaluation.untrained) {
    const images = counts.train + counts.test;
    add(encodeTraffic(images, 4 * histogramBins), 1);
    add(encodeTraffic(images, 4 * layout.featureWidth), 1);
    add(step.weights, spares(fed(images)));
  }
  return total;
}

/** Traffic of one step. */
class StepTraffic {
  /** One version of the weights for one worker. */
  readonly weights: Traffic;

  constructor(
    private readonly spec: TrainingRunSpec,
    private readonly layout: ModelLayout,
    private readonly workers: number,
  ) {
    const statistics = wireBytes('float32', layout.statisticsCount);
    const parts = [parameterBytes(spec, layout), statistics, statistics];
    this.weights = { sentBytes: messageBytes + transferBytes(parts), receivedBytes: 0 };
  }

  leavesOf(rows: number): number {
    return this.tree(rows).leaves.length;
  }

  /**
   * @param nextRows rows of the next step's batch, whose images are announced in advance
   * @param verified microbatches that are compared and therefore sent alone
   */
  of(rows: number, nextRows: number, verified: readonly number[] = []): Traffic {
    const tree = this.tree(rows);
    const places = Array.from({ length: this.workers }, (_, worker) => worker);
    const total = { sentBytes: 0, receivedBytes: 0 };
    for (const { leaves } of assignLeaves(tree.leaves, places)) {
      total.sentBytes += this.weights.sentBytes;
      const others = leaves.filter((leaf) => !verified.includes(leaf));
      const pieces = leaves.filter((leaf) => verified.includes(leaf)).map((leaf) => [leaf]);
      if (others.length > 0) pieces.push(others);
      for (const piece of pieces) {
        total.sentBytes += this.workBytes(tree, piece, this.tree(nextRows));
        for (const node of tree.cover(piece)) {
          const { start, end } = tree.rowsUnder(node);
          total.receivedBytes += this.resultBytes(end - start, tree.leavesUnder(node).length);
        }
      }
    }
    return total;
  }

  /** What a step sends and receives besides, where the loss is over pairs: images, and outputs of each microbatch. */
  pairing(rows: number): Traffic {
    const messages = this.leavesOf(rows) * messageBytes;
    return { sentBytes: messages + 4 * rows, receivedBytes: 2 * messages + 4 * rows * this.spec.bits };
  }

  /**
   * Additional traffic of the whole run for microbatches that are computed twice and sent alone. They are selected by
   * key, so they can be counted.
   */
  verification(work: RunWork): Traffic {
    const { schedule, operation, seed } = this.spec;
    const total = { sentBytes: 0, receivedBytes: 0 };
    if (operation.verification.rate === 0) return total;
    const random = new KeyedRandom(seed);
    for (let iteration = 0; iteration < schedule.iterations; iteration++) {
      for (let epoch = 0; epoch < schedule.epochs; epoch++) {
        for (const [step, rows] of work.batches.entries()) {
          const tree = this.tree(rows);
          const position = { iteration, epoch, step };
          const { rate } = operation.verification;
          const verified = verifiedLeaves(random, rate, position, tree.leaves, schedule.microbatches);
          if (verified.length === 0) continue;
          const [alone, usual] = [this.of(rows, rows, verified), this.of(rows, rows)];
          total.sentBytes += alone.sentBytes - usual.sentBytes;
          total.receivedBytes += alone.receivedBytes - usual.receivedBytes;
          if (this.workers < 2) continue;
          for (const leaf of verified) {
            total.sentBytes += this.workBytes(tree, [leaf], tree);
            total.receivedBytes += this.resultBytes(tree.rowCount(leaf), 1);
          }
        }
      }
    }
    return total;
  }

  private workBytes(tree: ReductionTree, leaves: readonly number[], next: ReductionTree): number {
    const { method, bits } = this.spec;
    const imagesPerRow = usesPositives(method) ? 2 : 1;
    const rowBytes = 4 * (imagesPerRow + (pairLoss(method) ? bits : wordsPerCode(bits)));
    const leafTags = 10;
    const own = leaves.reduce((sum, leaf) => sum + leafTags + tree.rowCount(leaf) * rowBytes, 0);
    const ahead = leaves.reduce((sum, leaf) => sum + next.rowCount(leaf) * 4 * imagesPerRow, 0);
    return messageBytes + own + ahead;
  }

  private resultBytes(rows: number, leaves: number): number {
    const { layout, spec } = this;
    const passes = usesErasing(spec.method) ? 2 : 1;
    const gradientBytes = parameterBytes(spec, layout);
    // Besides the gradient six small arrays, each in its own chunks.
    const rest = payloadBytes({ layout, passes, precision: spec.wire.precision }, rows) - gradientBytes;
    const timings = 20;
    return (
      messageBytes +
      timings +
      (leaves > 1 ? leaves * digestBytes : 0) +
      transferBytes([gradientBytes]) +
      rest +
      5 * messageBytes
    );
  }

  private tree(rows: number): ReductionTree {
    return new ReductionTree(rows, this.spec.schedule.microbatches);
  }
}

/** Of a gradient, or of the weights' parameters. */
function parameterBytes({ wire }: TrainingRunSpec, { parameterCount }: ModelLayout): number {
  return wireBytes(wire.precision, parameterCount);
}

/** A chunk never spans two parts. */
function transferBytes(parts: readonly number[]): number {
  return parts.reduce((sum, bytes) => sum + bytes + Math.ceil(bytes / chunkBytes) * messageBytes, 0);
}

/** What a step needs of V: Gram matrix, class sums and total in float64, class sizes. */
function contextBytes({ bits }: TrainingRunSpec, { classes }: DatasetCounts): number {
  return messageBytes + 8 * (bits * bits + classes * bits + bits) + 4 * classes;
}

function encodeTraffic(images: number, bytesPerImage: number): Traffic {
  const batches = Math.ceil(images / encodeBatchSize);
  return {
    sentBytes: batches * messageBytes + 4 * images,
    receivedBytes: batches * 2 * messageBytes + images * bytesPerImage,
  };
}
