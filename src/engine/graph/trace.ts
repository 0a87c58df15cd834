import type { TensorInfo } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { registerBatchNormGradients } from '../batch-norm-gradients.js';
import { GraphBackend } from './backend.js';
import { Graph, type Value } from './graph.js';
import { batchNormKernels } from './kernels/batch-norm.js';
import { convolutionKernels } from './kernels/convolution.js';
import { elementwiseKernels } from './kernels/elementwise.js';
import type { GraphKernel } from './kernels/kernel.js';
import { shapeKernels } from './kernels/shapes.js';

/** Name of the TF.js backend that writes graphs. */
const graphBackendName = 'fcaenet-graph';

/** Between TF.js's tensors and the graph's values. */
export interface Tracer {
  readonly graph: Graph;
  value(tensor: TensorInfo): Value;
  tensor(value: Value): tf.Tensor;
  /** Makes a variable stand for a value of the graph. */
  bind(variable: TensorInfo, value: Value): void;
}

/** TF.js's registry is one per process, and so is this. */
let backend: GraphBackend | null = null;

/**
 * Writes what `compute` does with TF.js's operations as a TensorFlow graph. The backend in use is the same afterwards,
 * and no tensor is left.
 * @throws EngineError `ENGINE_GRAPH` where it does what no graph can hold
 */
export function traceGraph(compute: (tracer: Tracer) => void): Graph {
  backend ??= register();
  const graph = new Graph();
  const tracing = backend;
  const previous = tf.getBackend();
  tracing.begin(graph);
  // It is done when the call returns: only the promise around it needs the event loop.
  void tf.setBackend(graphBackendName);
  try {
    tf.tidy(() =>
      compute({
        graph,
        value: (tensor) => tracing.value(tensor),
        tensor: (value) => tracing.tensor(value),
        bind: (variable, value) => tracing.bind(variable, value),
      }),
    );
  } finally {
    void tf.setBackend(previous);
    tracing.begin(new Graph());
  }
  return graph;
}

function register(): GraphBackend {
  const created = new GraphBackend();
  tf.registerBackend(graphBackendName, () => created, 0);
  const kernels: { [name: string]: GraphKernel } = {
    ...batchNormKernels,
    ...convolutionKernels,
    ...elementwiseKernels,
    ...shapeKernels,
  };
  for (const [kernelName, kernel] of Object.entries(kernels)) {
    tf.registerKernel({
      kernelName,
      backendName: graphBackendName,
      kernelFunc: ({ inputs, attrs }) => {
        const values = Object.entries(inputs).map(([name, tensor]) => [
          name,
          created.value(tensor as TensorInfo),
        ]);
        const outputs = kernel({
          inputs: Object.fromEntries(values),
          attrs: attrs ?? {},
          graph: created.graph,
        });
        return Array.isArray(outputs) ? outputs.map((output) => created.info(output)) : created.info(outputs);
      },
    });
  }
  tf.registerKernel({
    kernelName: tf.Identity,
    backendName: graphBackendName,
    kernelFunc: ({ inputs }) => {
      const x = inputs.x as TensorInfo;
      created.incRef(x.dataId);
      return { dataId: x.dataId, shape: x.shape, dtype: x.dtype };
    },
  });
  registerBatchNormGradients();
  return created;
}
