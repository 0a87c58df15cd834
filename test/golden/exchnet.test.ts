import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { summarizeCodes } from '../../src/hashing/similarity.js';
import { ownTerms } from '../../src/methods/methods.js';
import { usualBatchNormalisation } from '../../src/methods/passes.js';
import { publishedSettings } from '../../src/methods/settings.js';
import { computeGradientAnywhere } from '../../src/model/any-engine.js';
import { exchangeOf } from '../../src/model/exchnet/exchange.js';
import type { GradientInput } from '../../src/model/fcaenet.js';
import { describeNetwork, type NetworkLayout } from '../../src/model/layout.js';
import { Network } from '../../src/model/network.js';
import { useEngine } from '../model/engine.js';
import { goldenWeights, inTorchOrder, tinyTrunks } from './networks.js';
import { gatherCodes, ints, relativeError, signs, values } from './support.js';

interface Golden {
  prefix: string;
  parts: number;
  c: number;
  rows: number;
  batch: number;
  n: number;
  K: number;
  margin: number;
  spatial: number;
  channel: number;
  alignment: number;
  anchors: boolean;
  losses: number[];
  u: number[];
  local: number[];
  gradient: Record<string, number[]>;
}

// Made in this project, so it is in no other folder of golden vectors.
const { cases } = JSON.parse(readFileSync(new URL('./exchnet.json', import.meta.url), 'utf8')) as {
  cases: Golden[];
};

function layoutOf({ parts, c }: Golden): NetworkLayout {
  const size = { bits: c, height: 12, width: 16 };
  return describeNetwork(tinyTrunks.tiny_mobile!, size, { parts, terms: ownTerms('exchnet') });
}

function inputOf(golden: Golden, layout: NetworkLayout): GradientInput {
  const { prefix, parts, c, rows, batch, n, K, margin, spatial, channel, alignment } = golden;
  const all = ints(`${prefix}/labels`, n, K);
  const labels = all.slice(0, rows);
  const codes = signs(`${prefix}/V`, [n, c]);
  const similar = all.reduce((sum, a) => sum + all.filter((b) => a === b).length, 0);
  const settings = { ...publishedSettings.exchnet, margin, spatial, channel, alignment };
  const { featureWidth } = layout;
  return {
    method: 'exchnet',
    anchors: values(`${prefix}/x`, [rows, 12, 16, 3], 1),
    positives: null,
    labels,
    erasing: { regions: 1, size: 1 },
    batchNormalisation: usualBatchNormalisation,
    ownCodes: gatherCodes(codes, c, Int32Array.from(labels.keys())),
    summary: summarizeCodes({
      codes,
      labels: all,
      bits: c,
      classCount: K,
      ratio: similar / (n * n - similar),
    }),
    batchRows: batch,
    gamma: 0,
    alpha: 0,
    beta: 0,
    exchange: exchangeOf({
      settings,
      own: { parts },
      featureWidth,
      labels,
      batchRows: batch,
      exchanged: Uint32Array.from(ints(`${prefix}/exchanged`, rows, 2 ** parts)),
      anchored: golden.anchors ? values(`${prefix}/C`, [K, parts, featureWidth], 2) : null,
    }),
  };
}

describe('ExchNet on a tiny backbone', () => {
  useEngine();

  test.each(cases)('$prefix: codes, losses and the derivatives by every parameter', async (golden) => {
    const layout = layoutOf(golden);
    const network = new Network(layout);
    network.setWeights(goldenWeights(layout, golden.prefix));
    const { u, losses, gradient } = await computeGradientAnywhere(network, inputOf(golden, layout));
    network.dispose();
    expect(relativeError(u, golden.u)).toBeLessThan(1e-5);
    golden.losses.forEach((loss, term) => {
      expect(Math.abs(losses[term]! - loss), `term ${term}`).toBeLessThan(1e-5 * Math.max(loss, 0.01));
    });
    expect(layout.parameters.map(({ name }) => name)).toEqual(Object.keys(golden.gradient));
    for (const spec of layout.parameters) {
      const found = inTorchOrder(gradient, spec);
      expect(relativeError(found, golden.gradient[spec.name]!), spec.name).toBeLessThan(1e-3);
    }
  });
});
