import {
  type BatchNormActivation,
  batchNormAddReluKernel,
  batchNormTrainGradientKernel,
  batchNormTrainKernel,
} from '../../batch-norm.js';
import type { Value } from '../graph.js';
import { add, elements, multiply } from '../operations.js';
import { activationGradient, rectified } from './elementwise.js';
import { floats, floatType, type GraphKernel, type KernelCall } from './kernel.js';

const noStatistics = new Float32Array(0);

/** What TensorFlow's gradient needs of the forward pass. */
interface Forward {
  readonly output: Value;
  readonly reserved: readonly Value[];
}

/** By the batch's mean, which the tape hands to the gradient. */
const forwards = new WeakMap<Value, Forward>();

/** TensorFlow's operation in train mode; the variance that it gives is the unbiased one. */
function normalise({ inputs, attrs, graph }: KernelCall) {
  const { x, scale, offset } = inputs;
  const channels = floats(scale!.shape);
  const none = graph.constant(noStatistics, [0]);
  const [y, mean, unbiased, ...reserved] = graph.add(
    'FusedBatchNormV3',
    [x!, scale!, offset!, none, none],
    [floats(x!.shape), channels, channels, channels, channels, channels],
    {
      attributes: {
        ...floatType,
        U: { type: 'float32' },
        epsilon: { float: attrs.epsilon as number },
        is_training: { flag: true },
      },
    },
  ) as [Value, Value, Value, ...Value[]];
  const count = elements(x!.shape) / elements(scale!.shape);
  const biased = graph.constant(Float32Array.of((count - 1) / count), []);
  return { y, mean, variance: multiply(unbiased, biased), reserved };
}

const train: GraphKernel = (call) => {
  const { y, mean, variance, reserved } = normalise(call);
  const output = rectified(y, call.attrs.activation as BatchNormActivation);
  forwards.set(mean, { output, reserved });
  return [output, mean, variance];
};

const addRelu: GraphKernel = (call) => {
  const { y, mean, variance, reserved } = normalise(call);
  const output = rectified(add(y, call.inputs.shortcut!), 'relu');
  forwards.set(mean, { output, reserved });
  return [output, mean, variance];
};

const trainGradient: GraphKernel = ({ inputs, attrs, graph }) => {
  const { x, dy, scale, mean } = inputs;
  const { output, reserved } = forwards.get(mean!)!;
  const gradient = activationGradient(dy!, output, attrs.activation as BatchNormActivation);
  const channels = floats(scale!.shape);
  return graph
    .add(
      'FusedBatchNormGradV3',
      [gradient, x!, scale!, ...reserved],
      [floats(x!.shape), channels, channels, floats([0]), floats([0])],
      {
        attributes: {
          ...floatType,
          U: { type: 'float32' },
          epsilon: { float: attrs.epsilon as number },
          is_training: { flag: true },
        },
      },
    )
    .slice(0, 3);
};

const inference: GraphKernel = ({ inputs, attrs, graph }) => {
  const { x, scale, offset, mean, variance } = inputs;
  return graph.add('FusedBatchNormV3', [x!, scale!, offset!, mean!, variance!], [floats(x!.shape)], {
    attributes: {
      ...floatType,
      U: { type: 'float32' },
      epsilon: { float: attrs.varianceEpsilon as number },
      is_training: { flag: false },
    },
  })[0]!;
};

/** Batch normalisation: train mode with its gradient, and inference. */
export const batchNormKernels: { readonly [name: string]: GraphKernel } = {
  [batchNormTrainKernel]: train,
  [batchNormAddReluKernel]: addRelu,
  [batchNormTrainGradientKernel]: trainGradient,
  FusedBatchNorm: inference,
};
