import { rangesOfOwners } from '../coordinator/exchange/ranges.js';
import { wordsPerCode } from '../hashing/codes.js';
import { pairLoss, usesPositives } from '../methods/methods.js';
import { momentPasses } from '../methods/passes.js';
import type { ModelLayout } from '../model/layout.js';
import { momentBlocks } from '../model/packed-moments.js';
import { outcomeShape, type PayloadShape, payloadBytes } from '../reduction/payload.js';
import { ReductionTree } from '../reduction/tree.js';
import type { TrainingRunSpec } from '../run/training-run.js';
import { assignLeaves } from '../schedule/assignment.js';
import { chunkBytes } from '../transport/tensor-stream.js';
import { wireBytes } from '../transport/wire-vector.js';
import type { ComparedLeaves } from './work.js';

/** Equal workers, all on other machines than the coordinator. */
export interface WorkerFleet {
  readonly workers: number;
  /** Of each worker. */
  readonly devices: number;
}

/** Bytes of messages, without gRPC framing, as the coordinator's counters count them. */
export interface Traffic {
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

/** What the coordinator sends and receives, and what the worker with the most does. */
export interface FleetTraffic {
  readonly coordinator: Traffic;
  readonly worker: Traffic;
}

/** A worker's microbatches of a step. */
interface Share {
  /** The messages that ask for them, and what it answers to the coordinator. */
  readonly workBytes: number;
  readonly resultBytes: number;
  /** Sums that it holds. */
  readonly nodes: number;
}

/** Term, checksum, numbers and tags of one message. Some bytes more or less do not matter beside its tensors. */
export const messageBytes = 30;
/** Index, tag and SHA-256 of one microbatch in a result of several. */
const digestBytes = 40;
/** Start, end, owner and tags of a range in a plan. */
const rangeBytes = 16;
/** Gradient and weights each have a plan. */
const plans = 2;

/** Traffic of one step, in the exchange if there are several workers and the run uses it, else in the star. */
export class StepTraffic {
  /** One version of the weights: for one worker in the star, for all of them in the exchange. */
  readonly weights: FleetTraffic;
  readonly isExchanged: boolean;
  private readonly weightBytes: number;
  private readonly payload: PayloadShape;
  /** Gradient and moments of batch normalisation, as workers add them for one another. */
  private readonly vectorBytes: number;
  private readonly ranges: number;

  constructor(
    private readonly spec: TrainingRunSpec,
    layout: ModelLayout,
    private readonly fleet: WorkerFleet,
  ) {
    const { precision } = spec.wire;
    const { parameterCount } = layout;
    this.isExchanged = fleet.workers > 1 && spec.operation.exchange === 'auto';
    const passes = momentPasses(spec);
    this.payload = { layout, passes, precision };
    const momentBytes = Float64Array.BYTES_PER_ELEMENT * momentBlocks(layout, passes).at(-1)!;
    this.vectorBytes = wireBytes(precision, parameterCount) + momentBytes;
    const owned = rangesOfOwners(parameterCount, fleet.workers);
    // Moments have a range for each worker.
    this.ranges = owned.length + fleet.workers;
    const statistics = wireBytes('float32', layout.statisticsCount);
    const parts = [wireBytes(precision, parameterCount), statistics, statistics];
    this.weightBytes = messageBytes + transferBytes(parts);
    const passedOn = this.isExchanged ? this.othersPart * this.weightBytes : 0;
    this.weights = {
      coordinator: { sentBytes: this.weightBytes, receivedBytes: 0 },
      worker: { sentBytes: passedOn, receivedBytes: this.weightBytes },
    };
  }

  leavesOf(rows: number): number {
    return this.tree(rows).leaves.length;
  }

  /**
   * @param nextRows rows of the next step's batch, whose images are announced in advance
   * @param verified microbatches that are compared and therefore sent alone
   */
  of(rows: number, nextRows: number, verified: readonly number[] = []): FleetTraffic {
    const { fleet } = this;
    const tree = this.tree(rows);
    const next = this.tree(nextRows);
    const places = Array.from({ length: fleet.workers }, (_, worker) => worker);
    const shares = assignLeaves(tree.leaves, places, () => fleet.devices).map(({ leaves }) =>
      this.shareOf(tree, next, leaves, verified),
    );
    return this.isExchanged ? this.inExchange(shares) : this.inStar(shares);
  }

  /** What a step sends and receives besides, where the loss is over pairs: images, and outputs of each microbatch. */
  pairing(rows: number): Traffic {
    const messages = this.leavesOf(rows) * messageBytes;
    return {
      sentBytes: messages + 4 * rows,
      receivedBytes: 2 * messages + 4 * rows * this.payload.layout.outputs,
    };
  }

  /**
   * Additional traffic of the coordinator, in the whole run, for microbatches that are computed twice and sent alone, and
   * for sums that are added twice.
   */
  verification(steps: number, compared: readonly ComparedLeaves[]): Traffic {
    const { rate } = this.spec.operation.verification;
    const total = { sentBytes: 0, receivedBytes: this.isExchanged ? rate * steps * this.vectorBytes : 0 };
    for (const { rows, leaves } of compared) {
      const [alone, usual] = [this.of(rows, rows, leaves), this.of(rows, rows)];
      total.sentBytes += alone.coordinator.sentBytes - usual.coordinator.sentBytes;
      total.receivedBytes += alone.coordinator.receivedBytes - usual.coordinator.receivedBytes;
      if (this.fleet.workers < 2) continue;
      const tree = this.tree(rows);
      for (const leaf of leaves) {
        total.sentBytes += this.workBytes(tree, [leaf], tree);
        total.receivedBytes += this.resultBytes(tree.rowCount(leaf), 1, true);
      }
    }
    return total;
  }

  private inStar(shares: readonly Share[]): FleetTraffic {
    const { coordinator } = this.weights;
    return {
      coordinator: {
        sentBytes: sum(shares, ({ workBytes }) => coordinator.sentBytes + workBytes),
        receivedBytes: sum(shares, ({ resultBytes }) => resultBytes),
      },
      worker: {
        sentBytes: Math.max(...shares.map(({ resultBytes }) => resultBytes)),
        receivedBytes: Math.max(...shares.map(({ workBytes }) => coordinator.sentBytes + workBytes)),
      },
    };
  }

  /** Every worker sends each range of its sums to its owner, adds its own ranges, and passes its part of the weights on. */
  private inExchange(shares: readonly Share[]): FleetTraffic {
    const { fleet, weights, ranges, vectorBytes } = this;
    const nodes = sum(shares, (share) => share.nodes);
    const planBytes = plans * ranges * rangeBytes;
    const sums = transferBytes([vectorBytes]);
    const sent = ({ nodes: own, resultBytes }: Share) =>
      resultBytes + own * this.othersPart * sums + sums / fleet.workers + weights.worker.sentBytes;
    const received = ({ nodes: own, workBytes }: Share) =>
      workBytes + planBytes + ((nodes - own) / fleet.workers) * sums + weights.worker.receivedBytes;
    return {
      coordinator: {
        sentBytes:
          weights.coordinator.sentBytes +
          fleet.workers * planBytes +
          sum(shares, ({ workBytes }) => workBytes),
        receivedBytes: sums + ranges * messageBytes + sum(shares, ({ resultBytes }) => resultBytes),
      },
      worker: {
        sentBytes: Math.max(...shares.map(sent)),
        receivedBytes: Math.max(...shares.map(received)),
      },
    };
  }

  /** The part of a sum whose ranges other workers own. */
  private get othersPart(): number {
    return (this.fleet.workers - 1) / this.fleet.workers;
  }

  private shareOf(
    tree: ReductionTree,
    next: ReductionTree,
    leaves: readonly number[],
    verified: readonly number[],
  ): Share {
    const others = leaves.filter((leaf) => !verified.includes(leaf));
    const alone = leaves.filter((leaf) => verified.includes(leaf));
    const pieces = alone.map((leaf) => [leaf]);
    if (others.length > 0) pieces.push(others);
    const nodes = pieces.flatMap((piece) => tree.cover(piece));
    return {
      workBytes: sum(pieces, (piece) => this.workBytes(tree, piece, next)),
      resultBytes: sum(nodes, (node) => {
        const { start, end } = tree.rowsUnder(node);
        const under = tree.leavesUnder(node);
        const isCompared = under.length === 1 && alone.includes(under[0]!);
        return this.resultBytes(end - start, under.length, !this.isExchanged || isCompared);
      }),
      nodes: nodes.length,
    };
  }

  private workBytes(tree: ReductionTree, leaves: readonly number[], next: ReductionTree): number {
    const { method, bits } = this.spec;
    const imagesPerRow = usesPositives(method) ? 2 : 1;
    const rowBytes =
      4 * (imagesPerRow + (pairLoss(method) ? this.payload.layout.outputs : wordsPerCode(bits)));
    const leafTags = 10;
    const own = sum(leaves, (leaf) => leafTags + tree.rowCount(leaf) * rowBytes);
    const ahead = sum(leaves, (leaf) => next.rowCount(leaf) * 4 * imagesPerRow);
    return messageBytes + own + ahead;
  }

  /** @param isWhole whether gradient and moments go to the coordinator */
  private resultBytes(rows: number, leaves: number, isWhole: boolean): number {
    const { layout, precision } = this.payload;
    const gradientBytes = isWhole ? wireBytes(precision, layout.parameterCount) : 0;
    // Besides the gradient small arrays, each in its own chunks.
    const rest = payloadBytes(isWhole ? this.payload : outcomeShape(this.payload), rows) - gradientBytes;
    const timings = 20;
    return (
      messageBytes +
      timings +
      (leaves > 1 ? leaves * digestBytes : 0) +
      transferBytes([gradientBytes]) +
      rest +
      (isWhole ? 5 : 2) * messageBytes
    );
  }

  private tree(rows: number): ReductionTree {
    return new ReductionTree(rows, this.spec.schedule.microbatches);
  }
}

/** A chunk never spans two parts. */
function transferBytes(parts: readonly number[]): number {
  return sum(parts, (bytes) => bytes + Math.ceil(bytes / chunkBytes) * messageBytes);
}

function sum<Item>(items: readonly Item[], bytesOf: (item: Item) => number): number {
  return items.reduce((total, item) => total + bytesOf(item), 0);
}
