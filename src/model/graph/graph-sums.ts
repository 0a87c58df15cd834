import { mostKept } from '../../engine/graph/sums.js';
import type { GradientInput } from '../fcaenet.js';
import type { GradientSums, LeafOutcome } from '../gradient-sums.js';
import type { ComputedLeaf, NetworkGraphs } from './network-graphs.js';

/** Sums in TensorFlow, where the gradients are: only a finished sum is read. */
export class GraphSums implements GradientSums {
  readonly mostKept = mostKept;
  private kept = 0;
  private leaf: ComputedLeaf | null = null;

  /**
   * @param rows numbers of rows of the microbatches, ascending
   * @param memory gives an array `[parameterCount]` for a finished sum
   */
  constructor(
    private readonly graphs: NetworkGraphs,
    private readonly rows: readonly number[],
    private readonly memory: () => Float32Array<ArrayBuffer>,
  ) {}

  async compute(input: GradientInput<Float32Array | Uint8Array>): Promise<LeafOutcome> {
    this.leaf = this.graphs.computeLeaf(input, this.rows);
    return this.leaf.outcome;
  }

  current(): null {
    return null;
  }

  keep(merged: number): void {
    this.leaf!.keepSum(this.kept, merged);
    this.kept += 1 - merged;
  }

  finish(merged: number): Float32Array {
    const sum = this.memory();
    this.leaf!.readSum(this.kept, merged, sum);
    this.kept -= merged;
    return sum;
  }
}
