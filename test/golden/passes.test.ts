import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { summarizeCodes } from '../../src/hashing/similarity.js';
import type { Method } from '../../src/methods/methods.js';
import type { BatchNormalisation } from '../../src/methods/passes.js';
import { computeGradientAnywhere } from '../../src/model/any-engine.js';
import { updateRunningStatistics } from '../../src/model/batch-norm-moments.js';
import type { GradientInput } from '../../src/model/fcaenet.js';
import { describeNetwork } from '../../src/model/layout.js';
import { Network } from '../../src/model/network.js';
import { useEngine } from '../model/engine.js';
import { goldenWeights, inTorchOrder, tinyTrunks } from './networks.js';
import { gatherCodes, ints, relativeError, signs, values } from './support.js';

interface Case extends BatchNormalisation {
  method: Method;
  losses: number[];
  u: { anchor: number[]; positive?: number[]; erased?: number[] };
  mask: string[] | null;
  gradient: Record<string, number[]>;
  statistics: Record<string, number[]>;
}

interface Golden {
  prefix: string;
  rows: number;
  batch: number;
  height: number;
  width: number;
  bits: number;
  n: number;
  K: number;
  gamma: number;
  alpha: number;
  beta: number;
  k: number;
  s: number;
  cases: Case[];
}

// Made in this project, so it is in no other folder of golden vectors.
const golden = JSON.parse(readFileSync(new URL('./passes.json', import.meta.url), 'utf8')) as Golden;
const { prefix, rows, height, width, bits, n, K } = golden;
const layout = describeNetwork(tinyTrunks.tiny_mobile!, { bits, height, width });

function inputOf({ method, positives, runningStatistics, u }: Case): GradientInput {
  const { batch, gamma, alpha, beta, k, s } = golden;
  const labels = ints(`${prefix}/labels`, n, K);
  const codes = signs(`${prefix}/V`, [n, bits]);
  const similar = labels.reduce((sum, a) => sum + labels.filter((b) => a === b).length, 0);
  const shape = [rows, height, width, 3];
  return {
    method,
    anchors: values(`${prefix}/x`, shape, 1),
    // Brighter and with less contrast, so that their moments are not those of the anchors.
    positives: u.positive ? values(`${prefix}/xp`, shape, 0.75).map((value) => value + 0.5) : null,
    labels: labels.slice(0, rows),
    erasing: { regions: k, size: s },
    batchNormalisation: { positives, runningStatistics },
    ownCodes: gatherCodes(
      codes,
      bits,
      Int32Array.from({ length: rows }, (_, row) => row),
    ),
    summary: summarizeCodes({ codes, labels, bits, classCount: K, ratio: similar / (n * n - similar) }),
    batchRows: batch,
    gamma,
    alpha,
    beta,
  };
}

describe('forward passes that share batch normalisation', () => {
  useEngine();

  test.each(golden.cases)(
    '$method, positives $positives, statistics of $runningStatistics: outputs, mask, loss, derivatives, statistics',
    async (expected) => {
      const weights = goldenWeights(layout, prefix);
      const network = new Network(layout);
      network.setWeights(weights);
      const leaf = await computeGradientAnywhere(network, inputOf(expected));
      network.dispose();
      const outputs = { anchor: leaf.u, positive: leaf.positiveU, erased: leaf.erasedU };
      for (const [branch, found] of Object.entries(outputs)) {
        const u = expected.u[branch as keyof typeof outputs];
        if (u) expect(relativeError(found!, u), branch).toBeLessThan(1e-5);
        else expect(found, branch).toBeNull();
      }
      expect(leaf.masks && [...leaf.masks].join('')).toBe(expected.mask?.join('') ?? null);
      expect(relativeError(leaf.losses, expected.losses)).toBeLessThan(1e-5);
      for (const spec of layout.parameters) {
        const found = inTorchOrder(leaf.gradient, spec);
        expect(relativeError(found, expected.gradient[spec.name]!), spec.name).toBeLessThan(1e-4);
      }
      updateRunningStatistics(layout, weights.mean, weights.variance, leaf.moments, 0.1);
      for (const { meanName, varianceName, offset, channels } of layout.batchNorms) {
        const mean = weights.mean.subarray(offset, offset + channels);
        const variance = weights.variance.subarray(offset, offset + channels);
        expect(relativeError(mean, expected.statistics[meanName]!), meanName).toBeLessThan(1e-5);
        expect(relativeError(variance, expected.statistics[varianceName]!), varianceName).toBeLessThan(1e-5);
      }
    },
  );
});
