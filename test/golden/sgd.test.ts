import { describe, expect, it } from 'vitest';
import { SgdOptimizer } from '../../src/coordinator/training/optimizer.js';
import { summarizeCodes } from '../../src/hashing/similarity.js';
import { usualBatchNormalisation } from '../../src/methods/passes.js';
import { computeGradientAnywhere } from '../../src/model/any-engine.js';
import { updateRunningStatistics } from '../../src/model/batch-norm-moments.js';
import type { NetworkWeights } from '../../src/model/initial.js';
import { describeNetwork, type NetworkLayout } from '../../src/model/layout.js';
import { Network } from '../../src/model/network.js';
import { useEngine } from '../model/engine.js';
import { goldenWeights, inTorchOrder, tinyTrunks, toChannelsLast } from './networks.js';
import { gather, gatherCodes, goldenProblem, image, readGolden, relativeError } from './support.js';

interface Step {
  loss: number;
  u: number[][];
  gradients: Record<string, number[]>;
  state_after: Record<string, number[]>;
}

interface SgdCase {
  prefix: string;
  model: string;
  shape: [number, number, number, number];
  bits: number;
  n: number;
  m: number;
  K: number;
  gamma: number;
  lr: number;
  momentum: number;
  weight_decay: number;
  r: number;
  f32_deviation: number;
  steps: Step[];
}

describe('SGD steps of small networks', () => {
  useEngine();

  it.each(readGolden<{ cases: SgdCase[] }>('sgd').cases)('$prefix', async (golden) => {
    const { bits, K, gamma, shape, prefix } = golden;
    const [rows, , height, width] = shape;
    const tolerance = Math.max(1e-5, 5 * golden.f32_deviation);
    const layout = describeNetwork(tinyTrunks[golden.model]!, { bits, height, width });
    const weights = goldenWeights(layout, prefix);
    const network = new Network(layout);
    const problem = goldenProblem({ ...golden, c: bits });
    const summary = summarizeCodes({ ...problem, bits, classCount: K, ratio: golden.r });
    const batch = problem.omega.subarray(0, rows);
    const optimizer = new SgdOptimizer(
      { momentum: golden.momentum, weightDecay: golden.weight_decay },
      new Float32Array(layout.parameterCount),
      false,
    );

    for (const [t, step] of golden.steps.entries()) {
      network.setWeights(weights);
      const leaf = await computeGradientAnywhere(network, {
        method: 'baseline',
        anchors: toChannelsLast(image(`${prefix}/x${t}`, shape), shape),
        positives: null,
        labels: gather(problem.labels, batch),
        ownCodes: gatherCodes(problem.codes, bits, batch),
        summary,
        batchRows: rows,
        gamma,
        alpha: 0,
        beta: 0,
        erasing: { regions: 0, size: 1 },
        batchNormalisation: usualBatchNormalisation,
      });
      expect(relativeError(leaf.u, step.u.flat())).toBeLessThan(tolerance);
      const loss = leaf.losses.reduce((sum, term) => sum + term, 0);
      expect(relativeError([loss], [step.loss])).toBeLessThan(tolerance);
      const largest = Math.max(...Object.values(step.gradients).flat().map(Math.abs));
      for (const spec of layout.parameters) {
        // A BatchNorm's scale before another BatchNorm has a gradient of near 0, the rest of far larger terms, so a
        // hundredth of the step's largest gradient stands in where a tensor has none that large.
        const gradient = [...inTorchOrder(leaf.gradient, spec), largest / 100];
        const expected = [...step.gradients[spec.name]!, largest / 100];
        expect(relativeError(gradient, expected), spec.name).toBeLessThan(tolerance);
      }
      optimizer.step(weights.parameters, leaf.gradient, golden.lr);
      updateRunningStatistics(layout, weights.mean, weights.variance, leaf.moments, 0.1);
      expectState(layout, weights, step.state_after, tolerance);
    }
    network.dispose();
  });
});

/** Every weight and running statistic, and none besides. */
function expectState(
  layout: NetworkLayout,
  weights: NetworkWeights,
  expected: Record<string, number[]>,
  tolerance: number,
): void {
  const actual: Record<string, Float32Array> = {};
  for (const spec of layout.parameters) actual[spec.name] = inTorchOrder(weights.parameters, spec);
  for (const { meanName, varianceName, offset, channels } of layout.batchNorms) {
    actual[meanName] = weights.mean.subarray(offset, offset + channels);
    actual[varianceName] = weights.variance.subarray(offset, offset + channels);
  }
  expect(Object.keys(actual).sort()).toEqual(Object.keys(expected).sort());
  for (const [name, state] of Object.entries(expected)) {
    expect(relativeError(actual[name]!, state), name).toBeLessThan(tolerance);
  }
}
