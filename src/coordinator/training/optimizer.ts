import type { WireVector } from '../../transport/wire-vector.js';
import { type SgdScalars, sgdStep } from '../lane/sgd.js';

/** Settings of stochastic gradient descent; both are rounded to float32 before use. */
export interface OptimizerSettings {
  /** Momentum factor, 0 ≤ momentum < 1. */
  readonly momentum: number;
  /** Weight decay λ, applied to every parameter (method 6.15). */
  readonly weightDecay: number;
}

/** SGD with momentum on one flat float32 vector (`sgdStep`): its settings and what it keeps from step to step. */
export class SgdOptimizer {
  readonly momentum: number;
  readonly weightDecay: number;

  /**
   * @param buffer momentum buffer `[parameters]`
   * @param started false before the first step; the first step sets the buffer to its gradient
   */
  constructor(
    settings: OptimizerSettings,
    public buffer: Float32Array,
    private started: boolean,
  ) {
    this.momentum = Math.fround(settings.momentum);
    this.weightDecay = Math.fround(settings.weightDecay);
  }

  get hasStarted(): boolean {
    return this.started;
  }

  /** What the next step computes with. */
  scalars(learningRate: number): SgdScalars {
    const { weightDecay, momentum, started } = this;
    return { learningRate, weightDecay, gradientScale: 1, momentum: started ? momentum : null };
  }

  /** Takes the momentum buffer `[parameters]` that a step has made elsewhere. */
  advanceTo(buffer: Float32Array): void {
    this.buffer = buffer;
    this.started = true;
  }

  /** Updates `parameters` `[parameters]` in place with `gradient` `[parameters]`. */
  step(parameters: Float32Array, gradient: WireVector, learningRate: number): void {
    const vectors = { parameters, buffer: this.buffer };
    sgdStep(vectors, gradient, this.scalars(learningRate), vectors);
    this.started = true;
  }
}
