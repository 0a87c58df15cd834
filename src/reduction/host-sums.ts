import type { GradientInput, LeafResult } from '../model/fcaenet.js';
import type { GradientMemory, GradientSums, LeafOutcome } from '../model/gradient-sums.js';
import type { WireVector } from '../transport/wire-vector.js';
import { addInto } from './gradient-vectors.js';

/** Sums in this process's memory, of gradients that are read one by one. */
export class HostSums implements GradientSums {
  readonly mostKept = Number.POSITIVE_INFINITY;
  private readonly kept: WireVector[] = [];
  private gradient: WireVector | null = null;

  /** @param computeLeaf computes a microbatch and writes its gradient where the input says */
  constructor(
    private readonly computeLeaf: (input: GradientInput<Float32Array | Uint8Array>) => Promise<LeafResult>,
    private readonly memory: GradientMemory,
  ) {}

  async compute(input: GradientInput<Float32Array | Uint8Array>): Promise<LeafOutcome> {
    const { memory } = this;
    const { gradient, ...outcome } = await this.computeLeaf({ ...input, gradient: memory.take() });
    this.gradient = memory.onWire(gradient);
    return outcome;
  }

  current(): WireVector {
    return this.gradient!;
  }

  keep(merged: number): void {
    this.kept.push(this.finish(merged));
  }

  finish(merged: number): WireVector {
    let sum = this.gradient!;
    for (let i = 0; i < merged; i++) {
      const left = this.kept.pop()!;
      addInto(left, sum);
      this.memory.give(sum);
      sum = left;
    }
    this.gradient = null;
    return sum;
  }
}
