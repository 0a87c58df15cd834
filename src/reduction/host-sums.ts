import type { GradientInput, LeafResult } from '../model/fcaenet.js';
import type { GradientSums, LeafOutcome } from '../model/gradient-sums.js';
import { addInto } from './gradient-vectors.js';

/** Memory for gradients `[parameterCount]`. */
export interface GradientMemory {
  take(): Float32Array<ArrayBuffer>;
  give(gradient: Float32Array): void;
}

/** Sums in this process's memory, of gradients that are read one by one. */
export class HostSums implements GradientSums {
  readonly mostKept = Number.POSITIVE_INFINITY;
  private readonly kept: Float32Array[] = [];
  private gradient: Float32Array | null = null;

  /** @param computeLeaf computes a microbatch and writes its gradient where the input says */
  constructor(
    private readonly computeLeaf: (input: GradientInput<Float32Array | Uint8Array>) => Promise<LeafResult>,
    private readonly memory: GradientMemory,
  ) {}

  async compute(input: GradientInput<Float32Array | Uint8Array>): Promise<LeafOutcome> {
    const { gradient, ...outcome } = await this.computeLeaf({ ...input, gradient: this.memory.take() });
    this.gradient = gradient;
    return outcome;
  }

  current(): Float32Array {
    return this.gradient!;
  }

  keep(merged: number): void {
    this.kept.push(this.finish(merged));
  }

  finish(merged: number): Float32Array {
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
