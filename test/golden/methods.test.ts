import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { separateCodes } from '../../src/hashing/class-codes.js';
import { classCodeMap } from '../../src/methods/class-code-map.js';
import { ClassFeatureSums } from '../../src/methods/class-feature-means.js';
import { gaussians } from '../../src/methods/gaussian.js';
import { projections } from '../../src/methods/hyperplanes.js';
import { findRotation, nearestOrthogonal } from '../../src/methods/itq.js';
import type { FeatureTraining, MethodRandom } from '../../src/methods/method.js';
import { featureMethod, type Method } from '../../src/methods/methods.js';
import { principalComponents } from '../../src/methods/principal-components.js';
import { kernelRows, learnProjection } from '../../src/methods/sdh.js';
import { publishedSettings } from '../../src/methods/settings.js';
import { codesFromStrings, ints, pick, relativeError, unit, values } from './support.js';

interface MethodsGolden {
  sdh: typeof publishedSettings.sdh;
  cases: {
    method: Method;
    prefix: string;
    n: number;
    queries: number;
    d: number;
    K: number;
    c: number;
    database: string[];
    query: string[];
    modes?: [direction: number, number: number][];
    errors?: number[];
    class_codes?: string[];
    /** W, and b below it. */
    class_code_map?: number[][];
    objectives?: number[];
  }[];
}

type Case = MethodsGolden['cases'][number];
// Made in this project, so it is in no other folder of golden vectors.
const golden = JSON.parse(readFileSync(new URL('./methods.json', import.meta.url), 'utf8')) as MethodsGolden;
const named = (method: Method) => golden.cases.filter((each) => each.method === method);

/** Centres of the classes with noise, in float32. */
function features(golden: Case, what: '' | 'query_', count: number): Float32Array {
  const { prefix, d, K } = golden;
  const labels = ints(`${prefix}/${what}labels`, count, K);
  const centres = values(`${prefix}/centres`, [K, d], 1);
  const noise = values(`${prefix}/${what}noise`, [count, d], 0.75);
  return noise.map((value, i) => value + centres[labels[Math.floor(i / d)]! * d + (i % d)]!);
}

function training(golden: Case, settings: typeof publishedSettings): FeatureTraining {
  const { prefix, n, d, K, c } = golden;
  const random: MethodRandom = {
    uniform: (stream, index) => (unit(`${prefix}/${stream}`, index) + 1) / 2,
    choose: (size, count) => pick(`${prefix}/anchors`, size, count),
  };
  return {
    features: features(golden, '', n),
    dimension: d,
    labels: ints(`${prefix}/labels`, n, K),
    classCount: K,
    bits: c,
    settings,
    random,
  };
}

const settings = { ...publishedSettings, sdh: golden.sdh };

test.each(golden.cases)('$prefix: codes of the database and of queries', async (golden) => {
  const hashing = await featureMethod(golden.method)!.load();
  const given = training(golden, settings);
  const learned = hashing.learn(given);
  expect(hashing.hash(learned, given.features)).toEqual(codesFromStrings(golden.database));
  const queries = features(golden, 'query_', golden.queries);
  expect(hashing.hash(learned, queries)).toEqual(codesFromStrings(golden.query));
});

test.each(named('sh'))('$prefix: the smoothest eigenfunctions', async (golden) => {
  const hashing = await featureMethod('sh')!.load();
  const { modes } = hashing.learn(training(golden, settings));
  expect([...modes!.data]).toEqual(golden.modes!.flat());
});

test.each(named('itq'))('$prefix: the quantisation error after each iteration falls', (golden) => {
  const { features, dimension, bits, random } = training(golden, settings);
  const { mean, components } = principalComponents(features, dimension, bits);
  const data = gaussians((index) => random.uniform('rotation', index), bits * bits);
  const errors: number[] = [];
  const start = nearestOrthogonal({ rows: bits, columns: bits, data });
  findRotation(projections(features, mean, components), start, 50, (error) => errors.push(error));
  expect(relativeError(errors, golden.errors!)).toBeLessThan(1e-8);
  expect(errors.every((error, i) => i === 0 || error <= errors[i - 1]! * (1 + 1e-12))).toBe(true);
});

test.each(named('itq'))('$prefix: codes of the classes’ mean features, moved apart', async (golden) => {
  const hashing = await featureMethod('itq')!.load();
  const given = training(golden, settings);
  const sums = new ClassFeatureSums(golden.d, golden.K);
  sums.add(given.features, given.labels);
  const start = hashing.hash(hashing.learn(given), sums.means());
  const codes = separateCodes(start, golden.c);
  expect(codes).toEqual(codesFromStrings(golden.class_codes!));
});

test.each(named('itq'))('$prefix: the linear map that is nearest to the codes of the classes', (golden) => {
  const { features, labels } = training(golden, settings);
  const codes = codesFromStrings(golden.class_codes!);
  const { weight, bias } = classCodeMap(features, golden.d, labels, codes, golden.c);
  expect(relativeError([...weight, ...bias], golden.class_code_map!.flat())).toBeLessThan(1e-6);
});

test.each(named('sdh'))('$prefix: the objective after each update falls', async (golden) => {
  const hashing = await featureMethod('sdh')!.load();
  const given = training(golden, settings);
  const { mean, anchors, width } = hashing.learn(given);
  const objectives: number[] = [];
  learnProjection(kernelRows(given.features, mean!, anchors!, width!), given, (value) =>
    objectives.push(value),
  );
  expect(relativeError(objectives, golden.objectives!)).toBeLessThan(1e-8);
  expect(objectives.every((value, i) => i === 0 || value <= objectives[i - 1]! * (1 + 1e-12))).toBe(true);
});
