import { mostKept } from '../../engine/graph/sums.js';
import type { WirePrecision } from '../../run/training-run.js';
import type { WireVector } from '../../transport/wire-vector.js';
import type { GradientInput } from '../fcaenet.js';
import type { GradientMemory, GradientSums, LeafOutcome } from '../gradient-sums.js';
import type { ComputedLeaf, NetworkGraphs } from './network-graphs.js';

/** Sums in TensorFlow, where the gradients are: only a finished sum is read. */
export class GraphSums implements GradientSums {
  readonly mostKept = mostKept;
  private kept = 0;
  private leaf: ComputedLeaf | null = null;

  /**
   * @param rows numbers of rows of the microbatches, ascending
   * @param precision to which gradients and sums are rounded
   */
  constructor(
    private readonly graphs: NetworkGraphs,
    private readonly rows: readonly number[],
    private readonly precision: WirePrecision,
    private readonly memory: GradientMemory,
  ) {}

  async compute(input: GradientInput<Float32Array | Uint8Array>): Promise<LeafOutcome> {
    this.leaf = this.graphs.computeLeaf(input, this.rows, this.precision);
    return this.leaf.outcome;
  }

  current(): null {
    return null;
  }

  keep(merged: number): void {
    this.leaf!.keepSum(this.kept, merged);
    this.kept += 1 - merged;
  }

  finish(merged: number): WireVector {
    const sum = this.memory.take();
    this.leaf!.readSum(this.kept, merged, sum);
    this.kept -= merged;
    return this.memory.onWire(sum);
  }
}
