import fc from 'fast-check';
import { expect, test } from 'vitest';
import { adshObjective, updateDatabaseCodes } from '../../src/hashing/adsh.js';
import { gramOfOutputs } from '../../src/hashing/targets.js';
import { denseSums, denseSweep, generator, problems } from './dense.js';

test('the objective by class sums equals the dense one', () => {
  fc.assert(
    fc.property(problems, (problem) => {
      const dense = denseSums(problem);
      const scale = problem.bits ** 2 * problem.labels.length * problem.omega.length;
      expect(Math.abs(adshObjective(problem) - dense.similarity - dense.quantisation)).toBeLessThan(
        1e-11 * (scale + dense.quantisation),
      );
    }),
  );
});

test('the sweep by class sums and tables sets the bits of the dense sweep', () => {
  fc.assert(
    fc.property(problems, (problem) => {
      const dense = denseSweep(problem);
      // An argument that is zero but for rounding has no sign to agree on.
      fc.pre(dense.arguments.every((argument) => argument > 1e-9));
      const before = problem.codes.slice();
      const updated = updateDatabaseCodes(problem);
      expect(updated.codes).toEqual(dense.codes);
      expect(updated.flippedBits).toBe(updated.codes.filter((bit, i) => bit !== before[i]).length);
      expect(problem.codes).toEqual(before);
    }),
  );
});

test('so does the sweep from V = 0, and each bit’s objective counts the columns behind it as 0', () => {
  const short = problems.filter(({ bits }) => bits <= 17);
  fc.assert(
    fc.property(short, (given) => {
      const problem = { ...given, codes: new Int8Array(given.codes.length) };
      const dense = denseSweep(problem);
      fc.pre(dense.arguments.every((argument) => argument > 1e-9));
      const updated = updateDatabaseCodes({
        ...problem,
        onBit: (bit, codes) => {
          const expected = dense.codes.map((code, i) => (i % problem.bits <= bit ? code : 0));
          expect(codes).toEqual(expected);
        },
      });
      expect(updated).toEqual({ codes: dense.codes, flippedBits: dense.codes.length });
    }),
    { numRuns: 25 },
  );
});

test('no bit raises the objective', () => {
  // The objective is computed once per bit, so long codes would take long.
  const short = problems.filter(({ bits }) => bits <= 17);
  fc.assert(
    fc.property(short, (problem) => {
      let objective = adshObjective(problem);
      let updates = 0;
      updateDatabaseCodes({
        ...problem,
        onBit: (bit, codes) => {
          expect(bit).toBe(updates++);
          const next = adshObjective({ ...problem, codes });
          expect(next).toBeLessThanOrEqual(objective + 1e-11 * (objective + problem.bits ** 2));
          objective = next;
        },
      });
      expect(updates).toBe(problem.bits);
    }),
  );
});

test('a row’s update does not depend on the other rows of the database', () => {
  fc.assert(
    fc.property(problems, (problem) => {
      // The same outputs on a database without the rows that were not sampled.
      const { labels, omega, bits, codes } = problem;
      const sampled = new Set(omega);
      const kept = [...labels.keys()].filter((row) => sampled.has(row));
      const position = new Map(kept.map((row, index) => [row, index]));
      const part = updateDatabaseCodes({
        ...problem,
        labels: Int32Array.from(kept, (row) => labels[row]!),
        codes: Int8Array.from(kept.flatMap((row) => [...codes.subarray(row * bits, (row + 1) * bits)])),
        omega: omega.map((row) => position.get(row)!),
      });
      const whole = updateDatabaseCodes(problem);
      for (const [row, index] of position) {
        expect(part.codes.subarray(index * bits, (index + 1) * bits)).toEqual(
          whole.codes.subarray(row * bits, (row + 1) * bits),
        );
      }
    }),
  );
});

test('an argument of exactly zero gives +1', () => {
  const labels = Int32Array.of(0, 1, 1);
  const input = { labels, bits: 3, classCount: 2, omega: Int32Array.of(0), ratio: 0.5, gamma: 200 };
  const codes = new Int8Array(9).fill(-1);
  for (const zero of [0, -0]) {
    const u = new Float32Array(3).fill(zero);
    expect(updateDatabaseCodes({ ...input, codes, u })).toEqual({
      codes: new Int8Array(9).fill(1),
      flippedBits: 9,
    });
  }
});

test('a database of some size', () => {
  const next = generator(21);
  const [n, m, bits, classCount] = [1500, 20, 48, 30];
  const problem = {
    labels: Int32Array.from({ length: n }, () => Math.floor(classCount * next())),
    bits,
    classCount,
    omega: Int32Array.from({ length: m }, (_, i) => 71 * i),
    u: Float32Array.from({ length: m * bits }, () => 2 * next() - 1),
    codes: Int8Array.from({ length: n * bits }, () => (next() < 0.5 ? -1 : 1)),
    ratio: 1 / (classCount - 1),
    gamma: 200,
  };
  expect(updateDatabaseCodes(problem).codes).toEqual(denseSweep(problem).codes);
});

test('a row that was sampled twice receives both outputs', () => {
  const next = generator(5);
  const u = Float32Array.from({ length: 3 * 5 }, () => 2 * next() - 1);
  const codes = Int8Array.from({ length: 4 * 5 }, () => (next() < 0.5 ? -1 : 1));
  const labels = Int32Array.of(0, 1, 1, 0);
  const problem = {
    labels,
    bits: 5,
    classCount: 2,
    omega: Int32Array.of(2, 0, 2),
    u,
    codes,
    ratio: 0.7,
    gamma: 30,
  };
  expect(updateDatabaseCodes(problem).codes).toEqual(denseSweep(problem).codes);
});

test('the tiled Gram matrix is the plain double loop’s, to the bit', () => {
  const next = generator(11);
  for (const [rows, bits] of [
    [1, 1],
    [63, 7],
    [64, 8],
    [200, 13],
  ] as const) {
    const u = Float32Array.from({ length: rows * bits }, () => 2 * next() - 1);
    const plain = new Float64Array(bits * bits);
    for (let row = 0; row < rows; row++) {
      for (let i = 0; i < bits * bits; i++) {
        plain[i]! += u[row * bits + Math.floor(i / bits)]! * u[row * bits + (i % bits)]!;
      }
    }
    expect(gramOfOutputs(u, bits)).toEqual(plain);
  }
});
