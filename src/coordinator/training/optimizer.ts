import type { WirePrecision } from '../../run/training-run.js';
import { formatOf, type WireVector } from '../../transport/wire-vector.js';
import { loadBfloat16 } from '../../wasm/bfloat16.js';
import { type BlockOperands, type Code, FloatBlocks } from '../../wasm/float-blocks.js';
import { op } from '../../wasm/module.js';

const [parameterBlock, bufferBlock, gradientBlock] = [0, 1, 2] as const;
const [rateScalar, decayScalar, momentumScalar] = [0, 1, 2] as const;

/** Pushes four elements of a vector as floats. */
type Load = (operands: BlockOperands, vector: number) => Code;

/** How the gradient is loaded, by its format. */
const gradientLoads: Readonly<Record<WirePrecision, Load>> = {
  float32: (operands, vector) => operands.load(vector),
  bfloat16: loadBfloat16,
};

/** d = g + λp */
function decayed(operands: BlockOperands, loadGradient: Load) {
  const { load, scalar } = operands;
  return [
    ...loadGradient(operands, gradientBlock),
    ...[...scalar(decayScalar), ...load(parameterBlock), op.multiplyFloats],
    op.addFloats,
  ];
}

/** p = p − lr·b */
function moved({ load, store, scalar }: BlockOperands) {
  return store(parameterBlock, [
    ...load(parameterBlock),
    ...[...scalar(rateScalar), ...load(bufferBlock), op.multiplyFloats],
    op.subtractFloats,
  ]);
}

const blocks = new FloatBlocks(
  3,
  Object.entries(gradientLoads).flatMap(([format, loadGradient]) => [
    {
      name: `first ${format}`,
      scalars: 2,
      body: (operands) => [
        ...operands.store(bufferBlock, decayed(operands, loadGradient)),
        ...moved(operands),
      ],
    },
    {
      name: `next ${format}`,
      scalars: 3,
      body: (operands) => {
        const { load, store, scalar } = operands;
        const kept = [...scalar(momentumScalar), ...load(bufferBlock), op.multiplyFloats];
        const added = [...kept, ...decayed(operands, loadGradient), op.addFloats];
        return [...store(bufferBlock, added), ...moved(operands)];
      },
    },
  ]),
);

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
 * Every operation rounds to float32, and no two operations are fused. So the result does not depend on the machine.
 */
export class SgdOptimizer {
  readonly momentum: number;
  readonly weightDecay: number;

  /**
   * @param buffer momentum buffer `[parameters]`, updated in place
   * @param started false before the first step; the first step sets the buffer to its gradient
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

  /**
   * The parameters as the next step makes them, from `start` on and as many as `gradient` has. Changes nothing.
   * @param gradient of these parameters
   */
  preview(parameters: Float32Array, start: number, gradient: WireVector, learningRate: number): Float32Array {
    const end = start + gradient.length;
    const next = parameters.slice(start, end);
    const buffer = this.buffer.slice(start, end);
    new SgdOptimizer(this, buffer, this.started).step(next, gradient, learningRate);
    return next;
  }

  /** Updates `parameters` `[parameters]` in place with `gradient` `[parameters]`. */
  step(parameters: Float32Array, gradient: WireVector, learningRate: number): void {
    const scalars = [learningRate, this.weightDecay, ...(this.started ? [this.momentum] : [])];
    const vectors = [parameters, this.buffer, gradient];
    blocks.run(
      `${this.started ? 'next' : 'first'} ${formatOf(gradient)}`,
      vectors,
      [parameterBlock, bufferBlock],
      scalars,
    );
    this.started = true;
  }
}
