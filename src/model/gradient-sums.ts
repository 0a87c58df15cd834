import type { WireVector } from '../transport/wire-vector.js';
import type { GradientInput, LeafResult } from './fcaenet.js';

/** A microbatch's result without its gradient. */
export type LeafOutcome = Omit<LeafResult, 'gradient'>;

/** Memory for gradients `[parameterCount]`, and what they are on the wire. */
export interface GradientMemory {
  /** An array for a gradient that is computed, or read from the engine. */
  take(): Float32Array<ArrayBuffer>;
  /** The gradient in the wire's precision. In float32 it is the same array; else its own is given back. */
  onWire(gradient: Float32Array): WireVector;
  /** Gives an array back that nobody reads any more. */
  give(gradient: WireVector): void;
}

/**
 * Computes microbatches and sums their gradients, where the engine has them. Sums lie on a stack until they are read.
 * Each addition is left + right in float32, rounded once. With bfloat16 on the wire, each gradient and each sum is
 * rounded to bfloat16, whether it is sent or not.
 */
export interface GradientSums {
  /** The most sums that can be kept at a time. */
  readonly mostKept: number;
  /**
   * Computes a microbatch; its gradient is the current one.
   * @throws as `computeGradientAnywhere`
   */
  compute(input: GradientInput<Float32Array | Uint8Array>): Promise<LeafOutcome>;
  /** The current gradient `[parameterCount]`; null where the engine has it and reading it would take time. */
  current(): WireVector | null;
  /** Adds the current gradient to the `merged` sums that were kept last, the last one first, and keeps the result. */
  keep(merged: number): void;
  /**
   * Adds in the same way and gives the result `[parameterCount]` instead of keeping it. It is the caller's. */
  finish(merged: number): WireVector;
}
