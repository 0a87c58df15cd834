import type { WirePrecision } from '../../run/training-run.js';
import { formatOf, type WireVector } from '../../transport/wire-vector.js';
import { loadBfloat16 } from '../../wasm/bfloat16.js';
import { type BlockOperands, type Code, FloatBlocks } from '../../wasm/float-blocks.js';
import { op } from '../../wasm/module.js';

const [parameterBlock, bufferBlock, gradientBlock] = [0, 1, 2] as const;
const [rateScalar, decayScalar, scaleScalar, momentumScalar] = [0, 1, 2, 3] as const;

/** Pushes four elements of a vector as floats. */
type Load = (operands: BlockOperands, vector: number) => Code;

/** How the gradient is loaded, by its format. */
const gradientLoads: Readonly<Record<WirePrecision, Load>> = {
  float32: (operands, vector) => operands.load(vector),
  bfloat16: loadBfloat16,
};

/** d = s·g + λp */
function decayed(operands: BlockOperands, loadGradient: Load) {
  const { load, scalar } = operands;
  return [
    ...[...loadGradient(operands, gradientBlock), ...scalar(scaleScalar), op.multiplyFloats],
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
      scalars: 3,
      body: (operands) => [
        ...operands.store(bufferBlock, decayed(operands, loadGradient)),
        ...moved(operands),
      ],
    },
    {
      name: `next ${format}`,
      scalars: 4,
      body: (operands) => {
        const { load, store, scalar } = operands;
        const kept = [...scalar(momentumScalar), ...load(bufferBlock), op.multiplyFloats];
        const added = [...kept, ...decayed(operands, loadGradient), op.addFloats];
        return [...store(bufferBlock, added), ...moved(operands)];
      },
    },
  ]),
);

/** What SGD with momentum trains: parameters and as many elements of the momentum buffer. */
export interface TrainedVectors {
  readonly parameters: Float32Array;
  readonly buffer: Float32Array;
}

/** The scalars of one step; all are rounded to float32 before use. */
export interface SgdScalars {
  readonly learningRate: number;
  readonly weightDecay: number;
  /** What the gradient is multiplied by: less than 1 where it is clipped. 1 changes no bit. */
  readonly gradientScale: number;
  /** Null in the first step, which sets the buffer to its gradient. */
  readonly momentum: number | null;
}

/**
 * One step of SGD with momentum, in PyTorch's form (dampening 0): d = s·g + λp; b = d on the first step, else μb + d;
 * p = p − lr·b. Every operation rounds to float32, and no two operations are fused. So the result does not depend on the
 * machine.
 * @param from before the step
 * @param gradient as long as these
 * @param into after the step: as long as `from`, or `from` itself
 */
export function sgdStep(
  from: TrainedVectors,
  gradient: WireVector,
  { learningRate, weightDecay, gradientScale, momentum }: SgdScalars,
  into: TrainedVectors,
): void {
  blocks.run(
    `${momentum === null ? 'first' : 'next'} ${formatOf(gradient)}`,
    [from.parameters, from.buffer, gradient],
    [parameterBlock, bufferBlock],
    [learningRate, weightDecay, gradientScale, ...(momentum === null ? [] : [momentum])],
    [into.parameters, into.buffer],
  );
}
