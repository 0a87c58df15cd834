import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SgdOptimizer } from '../../src/coordinator/training/optimizer.js';
import { summarizeCodes } from '../../src/hashing/similarity.js';
import { usualBatchNormalisation } from '../../src/methods/passes.js';
import { computeGradientAnywhere, encodeImagesAnywhere } from '../../src/model/any-engine.js';
import { updateRunningStatistics } from '../../src/model/batch-norm-moments.js';
import { describeNetwork, trunkOf } from '../../src/model/layout.js';
import { Network } from '../../src/model/network.js';
import { useEngine } from '../model/engine.js';
import { goldenWeights, inTorchOrder, toChannelsLast } from './networks.js';
import {
  gather,
  gatherCodes,
  goldenDirectory,
  goldenProblem,
  image,
  readGolden,
  relativeError,
} from './support.js';

interface ResnetCase {
  prefix: string;
  depth: 18 | 50;
  shape: [number, number, number, number];
  bits: number;
  n: number;
  m: number;
  K: number;
  gamma: number;
  alpha: number;
  beta: number;
  k: number;
  s: number;
  r: number;
  mask_erased_per_image: number[];
  mask_first_erased_row_major: number[];
  u: number[][];
  u_pos: number[][];
  u_era: number[][];
  loss: number;
  gradients: Record<string, { l2: number; first8: number[]; l2_spread: number; first8_spread: number }>;
  running_first8: Record<string, number[]>;
  eval_u_before_optimizer_step: number[][];
  lr: number;
  eval_u_after_optimizer_step: number[][];
  spread: { u: number; u_pos: number; u_era: number; loss: number; eval: number; eval_stepped: number };
}

const names = readdirSync(goldenDirectory())
  .filter((file) => /^resnet\d+\.json$/.test(file))
  .map((file) => file.replace('.json', ''));

describe.each(names)('one FCAENet step of %s', (name) => {
  useEngine();

  it('has the golden outputs, masks, loss, gradients and statistics', async () => {
    const golden = readGolden<ResnetCase>(name);
    const { bits, shape, prefix, spread } = golden;
    const [rows, , height, width] = shape;
    const layout = describeNetwork(trunkOf(`resnet${golden.depth}`, 1), { bits, height, width });
    const weights = goldenWeights(layout, prefix);
    const network = new Network(layout);
    network.setWeights(weights);
    const problem = goldenProblem({ ...golden, c: bits });
    const batch = problem.omega.subarray(0, rows);
    const anchors = toChannelsLast(image(`${prefix}/x`, shape), shape);

    const leaf = await computeGradientAnywhere(network, {
      method: 'fcaenet',
      anchors,
      positives: toChannelsLast(image(`${prefix}/xp`, shape), shape),
      labels: gather(problem.labels, batch),
      ownCodes: gatherCodes(problem.codes, bits, batch),
      summary: summarizeCodes({ ...problem, bits, classCount: golden.K, ratio: golden.r }),
      batchRows: rows,
      gamma: golden.gamma,
      alpha: golden.alpha,
      beta: golden.beta,
      erasing: { regions: golden.k, size: golden.s },
      batchNormalisation: usualBatchNormalisation,
    });

    const masks = Array.from({ length: rows }, (_, row) =>
      leaf.masks!.subarray(row * height * width, (row + 1) * height * width),
    );
    expect(masks.map((mask) => mask.filter((kept) => kept === 0).length)).toEqual(
      golden.mask_erased_per_image,
    );
    expect(masks.map((mask) => mask.indexOf(0))).toEqual(golden.mask_first_erased_row_major);

    expectNear('u', leaf.u, golden.u.flat(), spread.u);
    expectNear('u of the positives', leaf.positiveU!, golden.u_pos.flat(), spread.u_pos);
    expectNear('u of the erased', leaf.erasedU!, golden.u_era.flat(), spread.u_era);
    expectNear('loss', [leaf.losses.reduce((sum, term) => sum + term, 0)], [golden.loss], spread.loss);

    // A ReLU whose input rounds to the other side of zero moves single elements of whichever tensors are behind it, and
    // hardly their norms. Which it is depends on the processor's instructions; how far, the network's own spread says.
    const kink = Math.max(...Object.values(golden.gradients).map((tensor) => tensor.first8_spread));
    for (const [parameter, expected] of Object.entries(golden.gradients)) {
      const spec = layout.parameters.find((candidate) => candidate.name === parameter)!;
      const gradient = inTorchOrder(leaf.gradient, spec);
      const norm = Math.sqrt(gradient.reduce((sum, value) => sum + value * value, 0));
      expectNear(`norm of ${parameter}`, [norm], [expected.l2], expected.l2_spread);
      expectNear(
        parameter,
        gradient.subarray(0, 8),
        expected.first8,
        Math.max(expected.first8_spread, kink / 5),
      );
    }

    updateRunningStatistics(layout, weights.mean, weights.variance, leaf.moments, 0.1);
    for (const [statistic, expected] of Object.entries(golden.running_first8)) {
      const mean = layout.batchNorms.find(({ meanName }) => meanName === statistic);
      const variance = layout.batchNorms.find(({ varianceName }) => varianceName === statistic);
      const offset = (mean ?? variance)!.offset;
      expectNear(
        statistic,
        (mean ? weights.mean : weights.variance).subarray(offset, offset + 8),
        expected,
        0,
      );
    }

    network.setWeights(weights);
    const { u: before } = await encodeImagesAnywhere(network, anchors, rows);
    expectNear('u in eval mode', before, golden.eval_u_before_optimizer_step.flat(), spread.eval);

    const settings = { momentum: 0.9, weightDecay: 1e-5 };
    const optimizer = new SgdOptimizer(settings, new Float32Array(layout.parameterCount), false);
    optimizer.step(weights.parameters, leaf.gradient, golden.lr);
    network.setWeights(weights);
    const { u: after } = await encodeImagesAnywhere(network, anchors, rows);
    expectNear('u after the step', after, golden.eval_u_after_optimizer_step.flat(), spread.eval_stepped);
    network.dispose();
  }, 600_000);
});

function expectNear(what: string, actual: ArrayLike<number>, expected: number[], spread: number): void {
  const error = relativeError(actual, expected);
  expect(error, what).toBeLessThan(Math.max(1e-4, 5 * spread));
}
