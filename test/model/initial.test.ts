import { describe, expect, it } from 'vitest';
import { KeyedRandom } from '../../src/data/random.js';
import { initialWeights } from '../../src/model/initial.js';
import { describeModel, type ParameterRole } from '../../src/model/layout.js';

const layout = describeModel({ backbone: 'mobilenet_v1', width: 0.25, bits: 12, imageSize: 64 });
const weights = initialWeights(layout, new KeyedRandom(7));

function valuesOf(name: string): Float32Array {
  const { offset, size } = layout.parameters.find((spec) => spec.name === name)!;
  return weights.parameters.subarray(offset, offset + size);
}

function valuesWith(role: ParameterRole): number[] {
  return layout.parameters
    .filter((spec) => spec.role === role)
    .flatMap(({ offset, size }) => [...weights.parameters.subarray(offset, offset + size)]);
}

describe('initial weights', () => {
  it('depend on the seed alone', () => {
    expect(initialWeights(layout, new KeyedRandom(7))).toEqual(weights);
    expect(initialWeights(layout, new KeyedRandom(8)).parameters).not.toEqual(weights.parameters);
  });

  it('make every BatchNorm the identity', () => {
    expect(new Set(valuesWith('scale'))).toEqual(new Set([1]));
    expect(new Set(valuesWith('offset'))).toEqual(new Set([0]));
    expect(new Set(weights.mean)).toEqual(new Set([0]));
    expect(new Set(weights.variance)).toEqual(new Set([1]));
  });

  it('give filters the variance 2 / fanOut', () => {
    const filter = valuesOf('conv_pw_13/kernel');
    const variance = filter.reduce((sum, value) => sum + value * value, 0) / filter.length;
    expect(variance * 256).toBeGreaterThan(1.96);
    expect(variance * 256).toBeLessThan(2.04);
    expect(Math.max(...valuesOf('conv_dw_9/depthwise_kernel'))).toBeLessThan(Math.sqrt(6 / 9));
  });

  it("start the hash layer as PyTorch's Linear", () => {
    for (const values of [valuesWith('hashWeight'), valuesWith('hashBias')]) {
      const largest = Math.max(...values.map(Math.abs));
      expect(largest).toBeLessThan(1 / 16);
      expect(largest).toBeGreaterThan(0.5 / 16);
    }
  });
});
