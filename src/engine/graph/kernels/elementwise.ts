import * as tf from '@tensorflow/tfjs-core';
import type { BatchNormActivation } from '../../batch-norm.js';
import { reluGradientKernel } from '../../gradients.js';
import type { Value } from '../graph.js';
import { add, divide, maximum, multiply, subtract } from '../operations.js';
import { floats, floatType, type GraphKernel } from './kernel.js';

function unary(operation: string): (x: Value) => Value {
  return (x) => x.graph.one(operation, [x], floats(x.shape), { attributes: floatType });
}

function fromX(compute: (x: Value) => Value): GraphKernel {
  return ({ inputs }) => compute(inputs.x!);
}

function fromAAndB(compute: (a: Value, b: Value) => Value): GraphKernel {
  return ({ inputs }) => compute(inputs.a!, inputs.b!);
}

const relu = unary('Relu');
const relu6 = unary('Relu6');

export function rectified(x: Value, activation: BatchNormActivation): Value {
  if (activation === 'none') return x;
  return activation === 'relu' ? relu(x) : relu6(x);
}

/** `dy` where the activation, whose result is `y`, let its input through, else 0. */
export function activationGradient(dy: Value, y: Value, activation: BatchNormActivation): Value {
  if (activation === 'none') return dy;
  const operation = activation === 'relu' ? 'ReluGrad' : 'Relu6Grad';
  return dy.graph.one(operation, [dy, y], floats(y.shape), { attributes: floatType });
}

/** Activations and arithmetic, element by element. */
export const elementwiseKernels: { readonly [name: string]: GraphKernel } = {
  [tf.Relu]: fromX(relu),
  [tf.Relu6]: fromX(relu6),
  [reluGradientKernel]: ({ inputs, attrs }) =>
    activationGradient(inputs.dy!, inputs.y!, attrs.limit === 6 ? 'relu6' : 'relu'),
  [tf.Tanh]: fromX(unary('Tanh')),
  [tf.Square]: fromX(unary('Square')),
  [tf.Neg]: fromX(unary('Neg')),
  [tf.Exp]: fromX(unary('Exp')),
  [tf.Sqrt]: fromX(unary('Sqrt')),
  [tf.Add]: fromAAndB(add),
  [tf.Sub]: fromAAndB(subtract),
  [tf.Multiply]: fromAAndB(multiply),
  [tf.RealDiv]: fromAAndB(divide),
  [tf.Maximum]: fromAAndB(maximum),
};
