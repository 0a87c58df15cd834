import { expect, test } from 'vitest';
import { describeModel } from '../../src/model/layout.js';
import { Network } from '../../src/model/network.js';
import { weightsFromWire, wireWeightBytes, wireWeightParts } from '../../src/model/wire-weights.js';
import { wirePrecisions } from '../../src/run/training-run.js';
import { bfloat16Of, floatsOf } from '../kit/bfloat16.js';
import { firstDifference } from '../kit/floats.js';
import { useEngine } from './engine.js';

useEngine();

// 13 bits: an odd number of parameters.
const layout = describeModel({ backbone: 'mobilenet_v1', width: 0.25, bits: 13, imageSize: 64 });
const vector = (length: number, key: number) =>
  Float32Array.from({ length }, (_, i) => Math.sin(i * 12.9898 + key));
const weights = {
  parameters: vector(layout.parameterCount, 0),
  mean: vector(layout.statisticsCount, 1),
  variance: vector(layout.statisticsCount, 2),
};

test.each(wirePrecisions)(
  'a network has the weights that were sent in %s; only its parameters are rounded',
  (precision) => {
    const bytes = Uint8Array.from(Buffer.concat(wireWeightParts(weights, precision)));
    expect(bytes.byteLength).toBe(wireWeightBytes(layout, precision));
    const network = new Network(layout);
    network.setWeights(weightsFromWire(bytes, layout, precision));
    const { parameters, mean, variance } = network.weights;
    const expected = precision === 'float32' ? weights.parameters : floatsOf(bfloat16Of(weights.parameters));
    expect(firstDifference(parameters, expected)).toBe(-1);
    expect(firstDifference(mean, weights.mean)).toBe(-1);
    expect(firstDifference(variance, weights.variance)).toBe(-1);
    network.dispose();
  },
);

test('in bfloat16 a parameter takes two bytes', () => {
  const [long, short] = wirePrecisions.map((precision) => wireWeightBytes(layout, precision));
  expect(long! - short!).toBe(2 * layout.parameterCount);
});
