import { expect, test } from 'vitest';
import { adshObjective, updateDatabaseCodes } from '../../src/hashing/adsh.js';
import { softRatio } from '../../src/hashing/similarity.js';
import {
  classSizes,
  codesFromStrings,
  gather,
  goldenProblem,
  readGolden,
  relativeError,
  values,
} from './support.js';

interface VStepGolden {
  cases: {
    prefix: string;
    n: number;
    m: number;
    c: number;
    K: number;
    gamma: number;
    r: number;
    V_before: string[];
    V_after: string[];
    objective_before: number;
    objective_after: number;
  }[];
}

test.each(readGolden<VStepGolden>('vstep').cases)('$prefix: codes and objective', (golden) => {
  const { prefix, m, c, K, gamma } = golden;
  const { labels, omega, codes } = goldenProblem(golden);
  expect(codes).toEqual(codesFromStrings(golden.V_before));
  const ratio = softRatio(gather(labels, omega), classSizes(labels, K));
  expect(Math.abs(ratio - golden.r)).toBeLessThan(1e-8 * golden.r);
  const sampled = {
    labels,
    bits: c,
    classCount: K,
    omega,
    u: values(`${prefix}/U`, [m, c], 0.95),
    ratio,
    gamma,
  };

  const before = codes.slice();
  const updated = updateDatabaseCodes({ ...sampled, codes });
  expect(updated.codes).toEqual(codesFromStrings(golden.V_after));
  expect(codes, 'the codes given are left alone').toEqual(before);
  expect(updated.flippedBits).toBe(updated.codes.filter((bit, i) => bit !== before[i]).length);

  const objectives = [
    adshObjective({ ...sampled, codes }),
    adshObjective({ ...sampled, codes: updated.codes }),
  ];
  expect(relativeError([objectives[0]!], [golden.objective_before])).toBeLessThan(1e-8);
  expect(relativeError([objectives[1]!], [golden.objective_after])).toBeLessThan(1e-8);
});
