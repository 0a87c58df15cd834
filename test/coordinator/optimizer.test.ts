import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type OptimizerSettings, SgdOptimizer } from '../../src/coordinator/training/optimizer.js';
import { bfloat16Of, floatsOf } from '../kit/bfloat16.js';
import { firstDifference, floatVectors } from '../kit/floats.js';

interface Sgd {
  readonly parameters: Float32Array;
  readonly buffer: Float32Array;
}

/** d = g + λp; b = d at first, else μb + d; p = p − lr·b, every operation rounded on its own. */
function scalarStep(
  { parameters, buffer }: Sgd,
  gradient: Float32Array,
  isFirst: boolean,
  settings: OptimizerSettings & { readonly learningRate: number },
): void {
  const { fround } = Math;
  const momentum = fround(settings.momentum);
  const decay = fround(settings.weightDecay);
  const rate = fround(settings.learningRate);
  for (let i = 0; i < parameters.length; i++) {
    const p = parameters[i]!;
    const d = fround(gradient[i]! + fround(decay * p));
    const b = isFirst ? d : fround(fround(momentum * buffer[i]!) + d);
    buffer[i] = b;
    parameters[i] = fround(p - fround(rate * b));
  }
}

test('a step has the bits of the scalar form', () => {
  const settings = fc.record({
    momentum: fc.double({ min: 0, max: 0.999, noNaN: true }),
    weightDecay: fc.double({ min: 0, max: 0.1, noNaN: true }),
    learningRate: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(floatVectors(3), settings, fc.boolean(), (vectors, settings, isFirst) => {
      const [parameters, buffer, gradient] = vectors.map((vector) => vector.map((value) => value / 1e4)) as [
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      const expected = { parameters: parameters.slice(), buffer: buffer.slice() };
      scalarStep(expected, gradient, isFirst, settings);
      new SgdOptimizer(settings, buffer, !isFirst).step(parameters, gradient, settings.learningRate);
      expect(firstDifference(parameters, expected.parameters)).toBe(-1);
      expect(firstDifference(buffer, expected.buffer)).toBe(-1);
    }),
    { numRuns: 200 },
  );
});

test('a step with a bfloat16 gradient has the bits of one with the same numbers in float32', () => {
  for (const started of [false, true]) {
    const vector = (key: number) =>
      Float32Array.from({ length: 8203 }, (_, i) => Math.sin(i * 12.9898 + key));
    const rounded = bfloat16Of(vector(0));
    const both = [rounded, floatsOf(rounded)].map((gradient) => {
      const [parameters, buffer] = [vector(1), vector(2)];
      const settings = { momentum: 0.9, weightDecay: 1e-5 };
      new SgdOptimizer(settings, buffer, started).step(parameters, gradient, 0.01);
      return { parameters, buffer };
    });
    const [ours, expected] = both;
    expect(firstDifference(ours!.parameters, expected!.parameters)).toBe(-1);
    expect(firstDifference(ours!.buffer, expected!.buffer)).toBe(-1);
  }
});

test('the first step is known from the later ones', () => {
  const parameters = Float32Array.of(1);
  const optimizer = new SgdOptimizer({ momentum: 0.5, weightDecay: 0 }, Float32Array.of(100), false);
  optimizer.step(parameters, Float32Array.of(1), 0.25);
  optimizer.step(parameters, Float32Array.of(1), 0.25);
  // b = 1, then 1.5
  expect([parameters[0], optimizer.buffer[0]]).toEqual([0.375, 1.5]);
});
