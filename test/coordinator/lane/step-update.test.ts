import { describe, expect, test } from 'vitest';
import { DirectLane } from '../../../src/coordinator/lane/direct-lane.js';
import { euclideanNorm } from '../../../src/coordinator/lane/lane-work.js';
import { StepUpdate } from '../../../src/coordinator/lane/step-update.js';
import { bfloat16Of, floatsOf } from '../../kit/bfloat16.js';

const { fround } = Math;
const length = 20_001;
const vector = (key: number) => Float32Array.from({ length }, (_, i) => Math.sin(i * 12.9898 + key));
const scalars = { learningRate: 0.5, weightDecay: 0.25, gradientScale: 1, momentum: 0.5 };

function updateWith(maxNorm: number | null) {
  const from = { parameters: vector(1), buffer: vector(2) };
  const into = { parameters: new Float32Array(length), buffer: new Float32Array(length) };
  return { from, into, update: new StepUpdate(new DirectLane(), from, into, scalars, maxNorm) };
}

/** The momentum buffer after a step whose gradient is multiplied by a factor. */
function bufferAfter(gradient: Float32Array, factor: number): Float32Array {
  const [parameters, buffer] = [vector(1), vector(2)];
  return gradient.map((value, i) =>
    fround(fround(0.5 * buffer[i]!) + fround(fround(fround(factor) * value) + fround(0.25 * parameters[i]!))),
  );
}

describe('a gradient', () => {
  const gradient = vector(3);
  const norm = Math.sqrt(gradient.reduce((sum, value) => sum + value * value, 0));

  test('that is longer than it may be is clipped as PyTorch does', async () => {
    const { into, update } = updateWith(norm / 4);
    await update.whole(gradient);
    expect(await update.clip(gradient)).toBe(norm);
    expect(into.buffer).toEqual(bufferAfter(gradient, norm / 4 / (norm + 1e-6)));
  });

  test('that is not is used as it is', async () => {
    const { into, update } = updateWith(2 * norm);
    await update.whole(gradient);
    expect(await update.clip(gradient)).toBe(norm);
    expect(into.buffer).toEqual(bufferAfter(gradient, 1));
  });

  test('of any length is used as it is, and not looked at, without a bound', async () => {
    const { into, update } = updateWith(null);
    await update.whole(gradient);
    expect(await update.clip(gradient)).toBeNull();
    expect(update.isRangewise).toBe(true);
    expect(into.buffer).toEqual(bufferAfter(gradient, 1));
  });

  test('of bfloat16 numbers has the norm of the numbers', () => {
    const rounded = bfloat16Of(gradient);
    expect(euclideanNorm(rounded)).toBe(euclideanNorm(floatsOf(rounded)));
  });
});
