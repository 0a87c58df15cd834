// This project's side of bench/engine.mjs: the same contract as pytorch_engine.py.
// usage: engine_steps.mjs NETWORK BATCH SIZE THREADS
import { createInterface } from 'node:readline';
import * as tf from '@tensorflow/tfjs-core';
import { SgdOptimizer } from '../dist/coordinator/training/optimizer.js';
import { KeyedRandom } from '../dist/data/random.js';
import { copyValues } from '../dist/engine/copy-values.js';
import { loadEngine } from '../dist/engine/loader.js';
import { initialWeights } from '../dist/model/initial.js';
import { describeModel } from '../dist/model/layout.js';
import { Network } from '../dist/model/network.js';

const [backbone, ...numbers] = process.argv.slice(2);
const [batch, imageSize, threads] = numbers.map(Number);
const engine = await loadEngine('onednn', { threads });
const layout = describeModel({ backbone, width: 0.25, bits: 48, imageSize });
const weights = initialWeights(layout, new KeyedRandom(0));
const network = new Network(layout);
const variables = [...network.variables];
const gradient = new Float32Array(layout.parameterCount);
const optimizer = new SgdOptimizer(
  { momentum: 0.9, weightDecay: 1e-5 },
  new Float32Array(gradient.length),
  false,
);
const pixels = Float32Array.from({ length: batch * imageSize ** 2 * 3 }, (_value, index) =>
  Math.sin(index * 12.9898),
);

/** A worker's step without the loss head, and the coordinator's: weights in, gradient out, SGD. */
function step() {
  network.setWeights(weights);
  tf.tidy(() => {
    const { grads } = tf.variableGrads(() => {
      const { u } = network.forwardTrain(tf.tensor4d(pixels, [batch, imageSize, imageSize, 3]));
      return tf.sum(tf.square(u));
    }, variables);
    for (const [index, { offset }] of layout.parameters.entries()) {
      copyValues(grads[variables[index].name], gradient, offset);
    }
  });
  optimizer.step(weights.parameters, gradient, 1e-3);
}

console.log('ready', JSON.stringify(engine.description));
for await (const line of createInterface({ input: process.stdin })) {
  const start = performance.now();
  const processor = process.cpuUsage();
  for (let i = 0; i < Number(line); i++) {
    step();
  }
  const { user, system } = process.cpuUsage(processor);
  console.log((performance.now() - start) / 1e3, (user + system) / 1e6);
}
