import { expect, test } from 'vitest';
import { similarityHead, softRatio, summarizeCodes } from '../../src/hashing/similarity.js';
import {
  classSizes,
  gather,
  gatherCodes,
  goldenProblem,
  readGolden,
  relativeError,
  values,
} from './support.js';

interface SimilarityGolden {
  cases: {
    prefix: string;
    n: number;
    m: number;
    batch: number;
    c: number;
    K: number;
    gamma: number;
    labels: number[];
    omega: number[];
    u_first4: number[];
    r: number;
    similarity_sum: number;
    gamma_sum: number;
    loss: number;
    grad_u: number[][];
  }[];
}

test.each(readGolden<SimilarityGolden>('similarity').cases)('$prefix: loss and gradient', (golden) => {
  const { prefix, n, batch, c, K, gamma } = golden;
  const { labels, omega, codes } = goldenProblem(golden);
  expect([...labels]).toEqual(golden.labels);
  expect([...omega]).toEqual(golden.omega);
  const u = values(`${prefix}/u`, [batch, c], 0.9);
  expect(relativeError(u.subarray(0, golden.u_first4.length), golden.u_first4)).toBeLessThan(1e-8);

  const ratio = softRatio(gather(labels, omega), classSizes(labels, K));
  expect(Math.abs(ratio - golden.r)).toBeLessThan(1e-8 * golden.r);
  const rows = omega.subarray(0, batch);
  const head = similarityHead(summarizeCodes({ codes, labels, bits: c, classCount: K, ratio }), {
    u,
    labels: gather(labels, rows),
    ownCodes: gatherCodes(codes, c, rows),
    gamma,
    batchRows: batch,
  });
  expect(relativeError([head.similarity * batch * n], [golden.similarity_sum])).toBeLessThan(1e-8);
  expect(relativeError([head.quantisation * batch * n], [golden.gamma_sum])).toBeLessThan(1e-8);
  expect(relativeError([head.similarity + head.quantisation], [golden.loss])).toBeLessThan(1e-8);
  expect(relativeError(head.gradient, golden.grad_u.flat())).toBeLessThan(1e-8);
});
