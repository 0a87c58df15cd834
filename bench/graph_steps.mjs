// This project's side of bench/graph.mjs: microbatches on the engine tensorflow, by the contract of kit/stepper.mjs.
// `left` leaves the gradient in TensorFlow, where the next ones are added to it.
// usage: graph_steps.mjs graph|left|eager ROWS SIZE THREADS
import { createInterface } from 'node:readline';
import * as tf from '@tensorflow/tfjs-core';
import { KeyedRandom } from '../dist/data/random.js';
import { loadEngine } from '../dist/engine/loader.js';
import { summarizeCodes } from '../dist/hashing/similarity.js';
import { usualBatchNormalisation } from '../dist/methods/passes.js';
import { computeGradientAnywhere, gradientSumsInEngine } from '../dist/model/any-engine.js';
import { computeGradient } from '../dist/model/fcaenet.js';
import { initialWeights } from '../dist/model/initial.js';
import { describeModel } from '../dist/model/layout.js';
import { Network } from '../dist/model/network.js';
import { normalizeImages } from '../dist/model/preprocess.js';

const [side, ...numbers] = process.argv.slice(2);
const [rows, imageSize, threads] = numbers.map(Number);
const bits = 48;
const classCount = 3;
const { description } = await loadEngine('tensorflow', { threads });
const layout = describeModel({ backbone: 'resnet50', width: 1, bits, imageSize });
const network = new Network(layout);
network.setWeights(initialWeights(layout, new KeyedRandom(0)));
/** Bytes for the graph, which normalises them; the operations one by one are given normalised pictures. */
const pixels = (phase) => {
  const bytes = Uint8Array.from(
    { length: rows * imageSize ** 2 * 3 },
    (_value, index) => 128 + 127 * Math.sin(index * 12.9898 + phase),
  );
  return side === 'eager' ? normalizeImages(bytes, layout.trunk.preprocessing) : bytes;
};
const codes = Int8Array.from({ length: 24 * bits }, (_value, index) => (index % 3 === 0 ? 1 : -1));
const input = {
  method: 'fcaenet',
  anchors: pixels(0),
  positives: pixels(1),
  labels: Int32Array.from({ length: rows }, (_value, row) => row % classCount),
  ownCodes: codes.slice(0, rows * bits),
  summary: summarizeCodes({
    codes,
    labels: Int32Array.from({ length: 24 }, (_value, index) => index % classCount),
    bits,
    classCount,
    ratio: 0.5,
  }),
  batchRows: rows,
  gamma: 200,
  alpha: 1,
  beta: 1,
  erasing: { regions: 50, size: Math.round(imageSize / 8) },
  batchNormalisation: usualBatchNormalisation,
  gradient: new Float32Array(layout.parameterCount),
};
const calls = { run: 0, tensors: 0 };
/** Milliseconds of the processor. */
const spent = { run: 0, tensors: 0, all: 0 };
measureCalls();
const memory = { take: () => input.gradient, onWire: (gradient) => gradient, give: () => {} };
const sums = gradientSumsInEngine(network, [rows], 'float32', memory);
const step = {
  graph: () => computeGradientAnywhere(network, input),
  left: () => sums.compute(input),
  eager: () => computeGradient(network, input),
}[side];
for (let i = 0; i < 3; i++) {
  for (const counter of [calls, spent]) for (const key in counter) counter[key] = 0;
  const processor = process.cpuUsage();
  await step();
  spent.all = milliseconds(processor);
}
console.log('ready', JSON.stringify({ ...description, calls, spent }));
for await (const line of createInterface({ input: process.stdin })) {
  const start = performance.now();
  const processor = process.cpuUsage();
  for (let i = 0; i < Number(line); i++) await step();
  const { user, system } = process.cpuUsage(processor);
  console.log((performance.now() - start) / 1e3, (user + system) / 1e6);
}

function milliseconds(since) {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1e3;
}

/** Counts and times what is asked of tfjs-node's addon: runs of graphs and operations, and tensors made or read. */
function measureCalls() {
  const backend = tf.backend();
  const { binding } = backend;
  const counted = {
    runSavedModel: 'run',
    executeOp: 'run',
    createTensor: 'tensors',
    tensorDataSync: 'tensors',
    ...(binding.readTensorInto && { readTensorInto: 'tensors' }),
  };
  const counting = Object.fromEntries(
    Object.getOwnPropertyNames(binding).map((name) => [name, binding[name]]),
  );
  for (const [name, kind] of Object.entries(counted)) {
    counting[name] = (...values) => {
      calls[kind]++;
      const processor = process.cpuUsage();
      const result = binding[name](...values);
      spent[kind] += milliseconds(processor);
      return result;
    };
  }
  backend.binding = counting;
}
