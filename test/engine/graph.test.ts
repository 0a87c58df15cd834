import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { registerGradients } from '../../src/engine/gradients.js';
import { Graph } from '../../src/engine/graph/graph.js';
import { add, reduce } from '../../src/engine/graph/operations.js';
import { type GraphRuntime, graphRuntime } from '../../src/engine/graph/runtime.js';
import { GraphSession } from '../../src/engine/graph/session.js';
import { traceGraph } from '../../src/engine/graph/trace.js';
import { loadEngine } from '../../src/engine/loader.js';
import { hasTensorflow, withoutTensorflow } from '../kit/tensorflow.js';

describe('tracing', () => {
  beforeAll(async () => {
    await tf.setBackend('cpu');
    registerGradients();
  });

  test('writes operations in their order, with the inputs and attributes of TensorFlow', () => {
    const graph = traceGraph(({ graph, tensor, value }) => {
      const x = tensor(graph.placeholder('x', 'float32', [2, 3]));
      graph.name(value(tf.relu(tf.mul(x, 2))), 'y');
    });
    expect(graph.nodes.map(({ operation, inputs }) => [operation, inputs])).toEqual([
      ['Placeholder', []],
      ['Const', []],
      ['Mul', ['x', 'Const_1']],
      ['Relu', ['Mul_2']],
      ['Identity', ['Relu_3']],
    ]);
    expect(graph.nodes[0]!.attributes).toEqual({ dtype: { type: 'float32' }, shape: { shape: [2, 3] } });
  });

  test.each([
    [7, 1, 'SAME'],
    [7, 2, 'SAME'],
    [8, 1, 'SAME'],
    [8, 2, 'EXPLICIT'],
  ])(
    "names a convolution's padding of 1 where TensorFlow's own is equal: %i pixels, stride %i",
    (size, stride, padding) => {
      const graph = traceGraph(({ graph, tensor, value }) => {
        const input = (name: string, shape: number[]) => tensor(graph.placeholder(name, 'float32', shape));
        const x = input('x', [1, size, size, 1]) as tf.Tensor4D;
        const filter = input('filter', [3, 3, 1, 1]) as tf.Tensor4D;
        const rows = Math.ceil(size / stride);
        const convolution = (images: tf.Tensor, weights: tf.Tensor) =>
          tf.conv2d(images as tf.Tensor4D, weights as tf.Tensor4D, stride, 1, 'NHWC', 1, 'floor');
        const [dx, dFilter] = tf.grads(convolution)([x, filter], input('dy', [1, rows, rows, 1]));
        graph.name(value(dx!), 'dx');
        graph.name(value(dFilter!), 'dFilter');
      });
      const paddings = graph.nodes
        .filter(({ operation }) => operation.startsWith('Conv2D'))
        .map(({ operation, attributes }) => [operation, attributes.padding]);
      expect(paddings.sort()).toEqual(
        ['Conv2D', 'Conv2DBackpropFilter', 'Conv2DBackpropInput'].map((operation) => [
          operation,
          { text: padding },
        ]),
      );
    },
  );

  test('is refused where a value is read, and leaves the backend and no tensor behind', () => {
    const before = tf.memory().numTensors;
    expect(() =>
      traceGraph(({ graph, tensor }) => tensor(graph.placeholder('x', 'float32', [2])).dataSync()),
    ).toThrow(
      expect.objectContaining({
        code: 'ENGINE_GRAPH',
        message: 'a TensorFlow graph cannot hold reading a value',
      }),
    );
    expect(() => traceGraph(() => tf.tensor([1], [1], 'int32'))).toThrow(
      expect.objectContaining({ message: 'a TensorFlow graph cannot hold values of type int32' }),
    );
    expect(tf.getBackend()).toBe('cpu');
    expect(tf.memory().numTensors).toBe(before);
  });

  test('on the backend cpu there is nothing that runs graphs', () => {
    expect(graphRuntime()).toBeNull();
  });
});

describe.skipIf(!hasTensorflow)(`a graph in TensorFlow's hands${withoutTensorflow}`, () => {
  let runtime: GraphRuntime;
  beforeAll(async () => {
    await loadEngine('tensorflow', { threads: 1 });
    runtime = graphRuntime()!;
  });

  /** y = Σ x + 1 over the last axis. */
  const sums = () => {
    const graph = new Graph();
    const x = graph.placeholder('x', 'float32', [2, 3]);
    graph.name(add(reduce('Sum', x, [1]), graph.constant(Float32Array.of(1), [])), 'y');
    return graph;
  };

  test('computes what it is fed', () => {
    const session = GraphSession.load(runtime, sums());
    const x = { name: 'x', shape: [2, 3], values: Float32Array.of(1, 2, 3, 4, 5, 6) };
    expect(session.run([x], ['y'])).toEqual([Float32Array.of(7, 16)]);
    session.dispose();
  });

  test('has the hash of what is written, and equal graphs the same', () => {
    const other = sums();
    other.constant(Float32Array.of(2), []);
    const sessions = [sums(), sums(), other].map((graph) => GraphSession.load(runtime, graph));
    const [first, second, third] = sessions.map(({ sha256 }) => sha256);
    expect(first).toMatch(/^[0-9a-f]{64}$/);
    expect(second).toBe(first);
    expect(third).not.toBe(first);
    for (const session of sessions) session.dispose();
  });

  test('that TensorFlow does not know is refused with its reason', () => {
    const graph = new Graph();
    graph.add('NoSuchOperation', [], [{ type: 'float32', shape: [] }]);
    expect(() => GraphSession.load(runtime, graph)).toThrow(
      expect.objectContaining({
        code: 'ENGINE_GRAPH',
        exitCode: 69,
        message: expect.stringMatching(/^TensorFlow does not take the graph: .*NoSuchOperation/),
      }),
    );
  });

  test('that cannot run says why, and lets go of what it was fed', () => {
    const session = GraphSession.load(runtime, sums());
    const { getNumOfTensors } = runtime.binding as unknown as { getNumOfTensors(): number };
    const before = getNumOfTensors();
    const x = { name: 'x', shape: [7], values: new Float32Array(7) };
    expect(() => session.run([x], ['y'])).toThrow(
      expect.objectContaining({
        code: 'ENGINE_GRAPH',
        message: expect.stringMatching(/^TensorFlow cannot run the graph: /),
      }),
    );
    expect(getNumOfTensors()).toBe(before);
    session.dispose();
  });
});
