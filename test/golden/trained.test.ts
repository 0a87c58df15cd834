import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { updateDatabaseCodes } from '../../src/hashing/adsh.js';
import { similarityHead, softRatio, summarizeCodes } from '../../src/hashing/similarity.js';
import { codesPerImage, type Method, pairLoss, storesOutputs } from '../../src/methods/methods.js';
import { publishedSettings } from '../../src/methods/settings.js';
import { classSizes, codesFromStrings, gather, ints, pick, relativeError, values } from './support.js';

interface TrainedGolden {
  pairs: {
    method: Method;
    prefix: string;
    n: number;
    batch: number;
    K: number;
    c: number;
    scale: number;
    step: number;
    similarity: number;
    quantisation: number;
    gradient: number[];
  }[];
  adsh: {
    prefix: string;
    n: number;
    m: number;
    K: number;
    c: number;
    gamma: number;
    similarity: number;
    quantisation: number;
    gradient: number[];
    codes: string[];
  }[];
}

// Made in this project, so it is in no other folder of golden vectors.
const golden = JSON.parse(readFileSync(new URL('./trained.json', import.meta.url), 'utf8')) as TrainedGolden;

test.each(golden.adsh)('$prefix: loss and V-step of ADSH while V is 0', (golden) => {
  const { prefix, n, m, K, c, gamma } = golden;
  const labels = ints(`${prefix}/labels`, n, K);
  const omega = pick(`${prefix}/omega`, n, m);
  const u = values(`${prefix}/U`, [m, c], 0.95);
  const ratio = softRatio(gather(labels, omega), classSizes(labels, K));
  const codes = new Int8Array(n * c);
  const sampled = { labels, bits: c, classCount: K, ratio };
  const head = similarityHead(summarizeCodes({ ...sampled, codes }), {
    u,
    labels: gather(labels, omega),
    ownCodes: new Int8Array(m * c),
    gamma,
    batchRows: m,
  });
  const terms = [head.similarity, head.quantisation, ...head.gradient];
  expect(relativeError(terms, [golden.similarity, golden.quantisation, ...golden.gradient])).toBeLessThan(
    1e-8,
  );
  const updated = updateDatabaseCodes({ ...sampled, omega, u, gamma, codes });
  expect(updated).toEqual({ codes: codesFromStrings(golden.codes), flippedBits: n * c });
});

test.each(golden.pairs)('$prefix: loss over pairs and its gradient', (golden) => {
  const { method, prefix, n, batch, K, c, scale, step } = golden;
  const labels = ints(`${prefix}/labels`, n, K);
  const images = pick(`${prefix}/images`, n, batch);
  const outputs = values(`${prefix}/z`, [batch, c * codesPerImage(method)], scale);
  const stored = storesOutputs(method) ? values(`${prefix}/U`, [n, c], scale) : null;
  images.forEach((image, row) => {
    stored?.set(outputs.subarray(row * c, (row + 1) * c), image * c);
  });
  const found = pairLoss(method)!.compute({
    outputs,
    images,
    labels,
    classSizes: classSizes(labels, K),
    bits: c,
    stored,
    step,
    settings: publishedSettings,
  });
  expect(relativeError(found.gradient, golden.gradient)).toBeLessThan(1e-8);
  expect(relativeError([found.similarity], [golden.similarity])).toBeLessThan(1e-8);
  expect(relativeError([found.quantisation], [golden.quantisation])).toBeLessThan(1e-8);
});
