import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { SgdOptimizer } from '../../src/coordinator/training/optimizer.js';
import { KeyedRandom } from '../../src/data/random.js';
import { loadEngine } from '../../src/engine/loader.js';
import { signCodes } from '../../src/hashing/codes.js';
import { summarizeCodes } from '../../src/hashing/similarity.js';
import { usualBatchNormalisation } from '../../src/methods/passes.js';
import { computeGradient } from '../../src/model/fcaenet.js';
import { initialWeights } from '../../src/model/initial.js';
import { describeModel } from '../../src/model/layout.js';
import { Network } from '../../src/model/network.js';

const steps = 5_000;
/** V8 compiles and grows its young generation meanwhile. */
const stepsBefore = 1_000;
const rows = 4;
const classCount = 4;
const databaseSize = 16;
const [imageSize, bits] = [32, 8];

function residentBytes(): number {
  return 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

test('5,000 steps of a small network leave memory and tensors as they were', async () => {
  const engine = await loadEngine('onednn', { threads: 1 });
  const layout = describeModel({ backbone: 'mobilenet_v1', width: 0.25, bits, imageSize });
  const random = new KeyedRandom(1);
  const weights = initialWeights(layout, random);
  const network = new Network(layout);
  const gradient = new Float32Array(layout.parameterCount);
  const optimizer = new SgdOptimizer(
    { momentum: 0.9, weightDecay: 1e-5 },
    new Float32Array(layout.parameterCount),
    false,
  );
  const codes = signCodes(Float32Array.from({ length: databaseSize * bits }, (_, i) => Math.sin(i)));
  const labels = Int32Array.from({ length: databaseSize }, (_, i) => i % classCount);
  const summary = summarizeCodes({ codes, labels, bits, classCount, ratio: 1 / 3 });
  const pixels = (shift: number) =>
    Float32Array.from({ length: rows * imageSize ** 2 * 3 }, (_, i) => Math.sin(i * 0.37 + shift));
  const [anchors, positives] = [pixels(0), pixels(1)];

  const resident: number[] = [];
  const tensors: number[] = [];
  for (let step = -stepsBefore; step < steps; step++) {
    network.setWeights(weights);
    computeGradient(network, {
      method: 'fcaenet',
      anchors,
      positives,
      labels: labels.subarray(0, rows),
      ownCodes: codes.subarray(0, rows * bits),
      summary,
      batchRows: rows,
      gamma: 200,
      alpha: 1,
      beta: 1,
      erasing: { regions: 3, size: 8 },
      batchNormalisation: usualBatchNormalisation,
      gradient,
    });
    optimizer.step(weights.parameters, gradient, 1e-4);
    if (step < 0) continue;
    tensors.push(engine.memory().tensors);
    resident.push(residentBytes());
  }

  const tenth = steps / 10;
  expect(new Set(tensors).size, 'numbers of tensors alive after a step').toBe(1);
  const [first, last] = [mean(resident.slice(0, tenth)), mean(resident.slice(-tenth))];
  console.log(
    `resident memory: ${(first / 2 ** 20).toFixed(1)} MiB at first, ${(last / 2 ** 20).toFixed(1)} MiB at last`,
  );
  expect(last / first).toBeLessThan(1.02);
}, 1_800_000);
