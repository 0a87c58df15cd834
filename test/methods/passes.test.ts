import { describe, expect, it, test } from 'vitest';
import { type Method, methods } from '../../src/methods/methods.js';
import {
  type BatchNormalisation,
  batchNormalisationOf,
  forwardPasses,
  leastRowsPerAnchor,
  momentPasses,
  positivesBatches,
  statisticsPasses,
  usualBatchNormalisation,
} from '../../src/methods/passes.js';

const everySetting: readonly BatchNormalisation[] = positivesBatches.flatMap((positives) =>
  statisticsPasses.map((runningStatistics) => ({ positives, runningStatistics })),
);
const joined = (method: Method) => ({ method, batchNormalisation: usualBatchNormalisation });
const apart = (method: Method) => ({
  method,
  batchNormalisation: { ...usualBatchNormalisation, positives: 'apart' } as const,
});

describe.each([
  ['baseline', [['anchor']], [['anchor']]],
  ['srem', [['anchor'], ['erased']], [['anchor'], ['erased']]],
  ['esrl', [['anchor', 'positive']], [['anchor'], ['positive']]],
  ['fcaenet', [['anchor', 'positive'], ['erased']], [['anchor'], ['positive'], ['erased']]],
  ['dash', [['anchor']], [['anchor']]],
] as const)('the forward passes of %s', (method, together, separate) => {
  it('are those of its branches', () => {
    expect(forwardPasses(joined(method))).toEqual(together);
    expect(forwardPasses(apart(method))).toEqual(separate);
  });

  it('all move the running statistics, or only the one that has the anchors', () => {
    for (const [settings, passes] of [
      [joined(method), together],
      [apart(method), separate],
    ] as const) {
      expect(momentPasses(settings)).toBe(passes.length);
      const { batchNormalisation } = settings;
      const anchors = { ...batchNormalisation, runningStatistics: 'anchors' } as const;
      expect(momentPasses({ method, batchNormalisation: anchors })).toBe(1);
    }
  });
});

test('a pass has two rows for each anchor only where positives share the one pass', () => {
  const least = (of: typeof joined | typeof apart) =>
    (['baseline', 'srem', 'esrl', 'fcaenet'] as const).map((method) => leastRowsPerAnchor(of(method)));
  expect(least(joined)).toEqual([1, 1, 2, 1]);
  expect(least(apart)).toEqual([1, 1, 1, 1]);
});

test('a method keeps the settings that it can follow', () => {
  for (const asked of everySetting) {
    const { runningStatistics } = asked;
    expect(batchNormalisationOf('fcaenet', asked)).toEqual(asked);
    expect(batchNormalisationOf('srem', asked)).toEqual({ ...usualBatchNormalisation, runningStatistics });
    const ofOnePass = asked.positives === 'with-anchors' ? usualBatchNormalisation : asked;
    expect(batchNormalisationOf('esrl', asked)).toEqual(ofOnePass);
  }
});

test('settings that are left out for a method would change none of its passes', () => {
  for (const method of methods) {
    for (const batchNormalisation of everySetting) {
      const kept = { method, batchNormalisation: batchNormalisationOf(method, batchNormalisation) };
      expect(forwardPasses(kept)).toEqual(forwardPasses({ method, batchNormalisation }));
      expect(momentPasses(kept)).toBe(momentPasses({ method, batchNormalisation }));
    }
  }
});
