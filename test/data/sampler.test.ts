import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KeyedRandom } from '../../src/data/random.js';
import { TripletSampler } from '../../src/data/sampler.js';

const classCount = 7;

function sampler(labels: ArrayLike<number>, sampleSize: number, batchSize: number, seed = 1): TripletSampler {
  return new TripletSampler({
    random: new KeyedRandom(seed),
    labels: Int32Array.from(labels),
    classCount,
    sampleSize,
    batchSize,
  });
}

const manyLabels = Array.from({ length: 120 }, (_, image) => (image * image) % classCount);

describe('Omega', () => {
  test('is drawn without replacement, anew in each iteration', () => {
    const triplets = sampler(manyLabels, 60, 16);
    const first = triplets.omega(0);
    expect(new Set(first).size).toBe(60);
    expect(triplets.omega(1)).not.toEqual(first);
    expect(triplets.omega(0)).toEqual(first);
  });

  test('does not change when a caller writes into it', () => {
    const triplets = sampler(manyLabels, 60, 16);
    const first = triplets.omega(0);
    triplets.omega(0).fill(-1);
    expect(triplets.omega(0)).toEqual(first);
  });

  test.each([0, 121, 1.5])('a sample size of %s among 120 images is refused', (sampleSize) => {
    expect(() => sampler(manyLabels, sampleSize, 16)).toThrow(
      expect.objectContaining({
        code: 'DATASET_SAMPLE_SIZE',
        message: `the sample size m is ${sampleSize}, expected an integer from 1 to 120, the images of the train split`,
      }),
    );
  });
});

describe('an epoch', () => {
  test('passes once over Omega, keeps the uneven last batch, and has an order of its own', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 120 }),
        fc.integer({ min: 1, max: 50 }),
        fc.nat(9),
        (m, batchSize, epoch) => {
          const triplets = sampler(manyLabels, m, batchSize);
          const omega = triplets.omega(3);
          const positions: number[] = [];
          for (let step = 0; step < triplets.batches(); step += 1) {
            const batch = triplets.batch(3, epoch, step);
            expect(batch.anchors).toEqual(batch.positions.map((position) => omega[position]!));
            expect(batch.positions.length).toBe(Math.min(batchSize, m - step * batchSize));
            positions.push(...batch.positions);
          }
          expect(positions.toSorted((left, right) => left - right)).toEqual([...omega.keys()]);
        },
      ),
    );
    const triplets = sampler(manyLabels, 60, 60);
    expect(triplets.batch(0, 0, 0).positions).not.toEqual(triplets.batch(0, 1, 0).positions);
  });

  test('gives each anchor the same positive whatever was asked before', () => {
    const asked = sampler(manyLabels, 60, 16);
    for (let step = 3; step >= 0; step -= 1) asked.batch(2, 1, step);
    expect(asked.batch(1, 0, 2)).toEqual(sampler(manyLabels, 60, 16).batch(1, 0, 2));
  });
});

describe('positives', () => {
  test('are of the class of their anchor and never the anchor itself', () => {
    const triplets = sampler(manyLabels, 120, 120);
    for (let epoch = 0; epoch < 20; epoch += 1) {
      const { anchors, positives } = triplets.batch(0, epoch, 0);
      anchors.forEach((anchor, row) => {
        expect(manyLabels[positives[row]!]).toBe(manyLabels[anchor]);
        expect(positives[row]).not.toBe(anchor);
      });
    }
  });

  test('are uniform over the rest of the class in the whole train split, also outside Omega', () => {
    const triplets = sampler([0, 0, 0, 0, 0, 0], 1, 1);
    const [anchor] = triplets.omega(0);
    const counts = new Map<number, number>();
    for (let epoch = 0; epoch < 5000; epoch += 1) {
      const [positive] = triplets.batch(0, epoch, 0).positives;
      counts.set(positive!, (counts.get(positive!) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual([0, 1, 2, 3, 4, 5].filter((image) => image !== anchor));
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(5 * Math.sqrt(1000));
  });

  test('are the anchor itself in a class of one image, which is reported', () => {
    const triplets = sampler([0, 3, 0, 5, 0], 5, 5);
    expect(triplets.loneClasses).toEqual([3, 5]);
    const { anchors, positives } = triplets.batch(0, 0, 0);
    anchors.forEach((anchor, row) => {
      if (anchor === 1 || anchor === 3) expect(positives[row]).toBe(anchor);
      else expect(positives[row]).not.toBe(anchor);
    });
  });
});
