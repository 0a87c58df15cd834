import '@tensorflow/tfjs-backend-cpu';
import type { KernelFunc, Tensor4D, TensorInfo } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { KeyedRandom } from '../../src/data/random.js';
import { loadEngine } from '../../src/engine/loader.js';
import { featureMethod, methods } from '../../src/methods/methods.js';
import { initialWeights } from '../../src/model/initial.js';
import { describeRunModel } from '../../src/model/layout.js';
import { Network } from '../../src/model/network.js';
import { run } from '../run/support.js';
import { valuesOf } from './support.js';

/** The most values that a kernel of the cpu backend was given or gave, by its name. */
const largest = new Map<string, number>();

const sizeOf = ({ shape }: TensorInfo) => tf.util.sizeFromShape(shape);

/** Kernels that compute one value from each, which the cpu backend does in a plain loop. */
const unary = ['Tanh', 'Sqrt', 'Square', 'Neg', 'Exp'];

beforeAll(async () => {
  for (const configuration of tf.getKernelsForBackend('cpu')) {
    const { kernelName, kernelFunc } = configuration;
    const counted: KernelFunc = (call) => {
      const outputs = [kernelFunc(call)].flat();
      const tensors = [...Object.values(call.inputs), ...outputs].filter((tensor) => tensor !== undefined);
      largest.set(kernelName, Math.max(largest.get(kernelName) ?? 0, ...tensors.map(sizeOf)));
      return outputs.length === 1 ? outputs[0]! : outputs;
    };
    tf.unregisterKernel(kernelName, 'cpu');
    tf.registerKernel({ ...configuration, kernelFunc: counted });
  }
  await loadEngine('onednn', { threads: 1 });
});

beforeEach(() => largest.clear());

const [rows, side] = [4, 64];

/** Of the cpu backend's kernels that walk over axes, some take a microsecond for a value. */
test.each(methods.filter((method) => !featureMethod(method)))(
  'a step of %s leaves no picture and no map to the cpu backend',
  (method) => {
    const layout = describeRunModel(
      run(`spec.method=${method}`, `spec.model.imageSize=${side}`, 'spec.model.backbone=mobilenet_v1').spec,
    );
    const network = new Network(layout);
    network.setWeights(initialWeights(layout, new KeyedRandom(1)));
    const images = tf.tensor4d(valuesOf(1, rows * side * side * 3, 1), [rows, side, side, 3]) as Tensor4D;
    const { grads } = tf.variableGrads(() => tf.sum(tf.square(network.forwardTrain(images).u)));
    for (const gradient of Object.values(grads)) gradient.dataSync();
    for (const [name, size] of largest) {
      if (!unary.includes(name))
        expect({ name, size }).toEqual({ name, size: expect.toSatisfy((n) => n < 1000) });
    }
    expect(largest.get('Tanh')).toBeGreaterThan(0);
    network.dispose();
  },
);

test('the count sees a kernel that is left to the cpu backend', () => {
  tf.cumsum(tf.ones([100, 100]));
  expect(largest.get('Cumsum')).toBe(10_000);
});
