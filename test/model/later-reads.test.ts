import { beforeAll, describe, expect, it, vi } from 'vitest';
import { loadEngine } from '../../src/engine/loader.js';
import { positivesBatches, statisticsPasses } from '../../src/methods/passes.js';
import { computeGradientAnywhere } from '../../src/model/any-engine.js';
import { computeGradient } from '../../src/model/fcaenet.js';
import { Network } from '../../src/model/network.js';
import { tinyInput, tinyLayout, tinyWeights } from './tiny.js';

// As on WebGPU, which is not here: values come by a promise, so never while the tape records.
vi.mock(import('../../src/engine/reading.js'), async (load) => ({
  ...(await load()),
  readsAtOnce: () => false,
}));

describe('a microbatch on an engine whose values are read later', () => {
  beforeAll(async () => {
    await loadEngine('onednn', { threads: 1 });
  });

  describe.each(['baseline', 'srem', 'esrl', 'fcaenet'] as const)('of %s', (method) => {
    const settings = positivesBatches.flatMap((positives) =>
      statisticsPasses.map((runningStatistics) => ({ positives, runningStatistics })),
    );
    it.each(settings)(
      'has the bits of one whose values are read at once ($positives, $runningStatistics)',
      async (batchNormalisation) => {
        const network = new Network(tinyLayout);
        network.setWeights(tinyWeights);
        const input = { ...tinyInput(method, 4), batchNormalisation };
        expect(await computeGradientAnywhere(network, input)).toEqual(computeGradient(network, input));
        network.dispose();
      },
    );
  });
});
