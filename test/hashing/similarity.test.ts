import fc from 'fast-check';
import { expect, test } from 'vitest';
import { similarityHead, softRatio, summarizeCodes } from '../../src/hashing/similarity.js';
import { classSizes, gather, gatherCodes, relativeError } from '../golden/support.js';
import { denseSums, problems } from './dense.js';

test('loss and gradient by class sums equal those of the dense similarity matrix', () => {
  fc.assert(
    fc.property(problems, (problem) => {
      const { labels, omega, codes, bits } = problem;
      const dense = denseSums(problem);
      const divisor = omega.length * labels.length;
      const head = similarityHead(summarizeCodes(problem), {
        ...problem,
        labels: gather(labels, omega),
        ownCodes: gatherCodes(codes, bits, omega),
        batchRows: omega.length,
      });
      expect(Math.abs(head.similarity * divisor - dense.similarity)).toBeLessThan(
        1e-11 * (dense.similarity + bits * bits * divisor),
      );
      expect(Math.abs(head.quantisation * divisor - dense.quantisation)).toBeLessThanOrEqual(
        1e-12 * dense.quantisation,
      );
      const largest = 1e-11 * bits * bits * labels.length;
      for (let i = 0; i < head.gradient.length; i++) {
        expect(Math.abs(head.gradient[i]! * divisor - dense.gradient[i]!)).toBeLessThan(largest);
      }
    }),
  );
});

test('the parts of a batch add up to the batch', () => {
  fc.assert(
    fc.property(problems, (problem) => {
      const { labels, omega, codes, bits, gamma } = problem;
      const summary = summarizeCodes(problem);
      const part = (start: number, end: number) => {
        const rows = omega.subarray(start, end);
        return similarityHead(summary, {
          u: problem.u.subarray(start * bits, end * bits),
          labels: gather(labels, rows),
          ownCodes: gatherCodes(codes, bits, rows),
          gamma,
          batchRows: omega.length,
        });
      };
      const middle = omega.length >> 1;
      const [whole, left, right] = [part(0, omega.length), part(0, middle), part(middle, omega.length)];
      expect(relativeError([left.similarity + right.similarity], [whole.similarity])).toBeLessThan(1e-11);
      expect(relativeError([left.quantisation + right.quantisation], [whole.quantisation])).toBeLessThan(
        1e-11,
      );
      expect([...left.gradient, ...right.gradient]).toEqual([...whole.gradient]);
    }),
  );
});

test('both published forms of the softened matrix agree and have mean 0', () => {
  fc.assert(
    fc.property(problems, ({ labels, omega, classCount }) => {
      const rows = gather(labels, omega);
      let similar = 0;
      for (const row of rows) similar += labels.filter((label) => label === row).length;
      const pairs = rows.length * labels.length;
      fc.pre(similar < pairs);
      const r = softRatio(rows, classSizes(labels, classCount));
      expect(Math.abs(similar - r * (pairs - similar))).toBeLessThan(1e-10 * pairs);
      // S ← S(1 + r′) − r′ from S = ±1 and r′ = (N₊ − N₋) / 2N₋, as the other codes write it.
      const other = (2 * similar - pairs) / (2 * (pairs - similar));
      expect(relativeError([-1 * (1 + other) - other], [-r])).toBeLessThan(1e-9);
    }),
  );
});
