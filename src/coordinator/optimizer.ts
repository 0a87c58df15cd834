/** Settings of stochastic gradient descent; both are rounded to float32 before use. */
export interface OptimizerSettings {
  /** Momentum factor, 0 ≤ momentum < 1. */
  readonly momentum: number;
  /** Weight decay λ, applied to every parameter (method 6.15). */
  readonly weightDecay: number;
}

/**
 * SGD with momentum on one flat float32 vector, in PyTorch's form (dampening 0):
 * d = g + λp; b = d on the first step, else μb + d; p = p − lr·b.
 * Every operation rounds to float32 on its own and none is fused, so the result does not depend on the machine.
 */
export class SgdOptimizer {
  private readonly momentum: number;
  private readonly weightDecay: number;

  /**
   * @param buffer momentum buffer `[parameters]`, updated in place
   * @param started false before the first step, whose buffer is the gradient itself
   */
  constructor(
    settings: OptimizerSettings,
    readonly buffer: Float32Array,
    private started: boolean,
  ) {
    this.momentum = Math.fround(settings.momentum);
    this.weightDecay = Math.fround(settings.weightDecay);
  }

  get hasStarted(): boolean {
    return this.started;
  }

  /** Updates `parameters` `[parameters]` in place with `gradient` `[parameters]`. */
  step(parameters: Float32Array, gradient: Float32Array, learningRate: number): void {
    const { buffer, momentum, weightDecay } = this;
    const rate = Math.fround(learningRate);
    const first = !this.started;
    const fround = Math.fround;
    for (let i = 0; i < parameters.length; i++) {
      const p = parameters[i]!;
      const d = fround(gradient[i]! + fround(weightDecay * p));
      const b = first ? d : fround(fround(momentum * buffer[i]!) + d);
      buffer[i] = b;
      parameters[i] = fround(p - fround(rate * b));
    }
    this.started = true;
  }
}
