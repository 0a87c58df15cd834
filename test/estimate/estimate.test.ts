import { describe, expect, test } from 'vitest';
import { computeSeconds, usefulWorkers } from '../../src/estimate/duration.js';
import { estimateRun } from '../../src/estimate/estimate.js';
import { commonLineEstimates, describeLines } from '../../src/estimate/lines.js';
import { estimateTables } from '../../src/estimate/show-estimate.js';
import { countWork } from '../../src/estimate/work.js';
import { statisticsPasses } from '../../src/methods/passes.js';
import { describeRunModel } from '../../src/model/layout.js';
import { readTrainingRun } from '../../src/run/read.js';
import { wirePrecisions } from '../../src/run/training-run.js';
import { run } from '../run/support.js';

const speed = { trainedImagesPerSecond: 100, encodedImagesPerSecond: 300 };
const counts = { classes: 20, train: 2000, test: 500 };

describe('the work of a run', () => {
  // Method 1.10: anchors and optimiser steps of the paper's runs, worked out by hand there.
  test.each([
    ['cub', 12, 1_600_000, 25_600],
    ['food101', 48, 2_400_000, 38_400],
    ['nabirds', 24, 3_200_000, 50_400],
    ['vegfru', 32, 4_800_000, 75_600],
  ])('%s at %i bits: %i anchors, %i steps', (kind, bits, anchors, steps) => {
    const { spec } = readTrainingRun(`examples/${kind}-${bits}bit.yaml`);
    const work = countWork(spec, { classes: 1, train: 100_000, test: 10 });
    expect(work).toMatchObject({ anchors, steps, trainedImages: 3 * anchors });
    expect(work.encodedImages).toBe(spec.schedule.iterations * (spec.dataset.sampleSize + 10));
  });

  test('counts the queries of each evaluation, the samples of each V-step, and every image twice for what is untrained', () => {
    const settings = [
      'spec.schedule.iterations=5',
      'spec.operation.evaluation.every=2',
      'spec.operation.evaluation.maxQueries=100',
      'spec.operation.evaluation.untrained=true',
      'spec.dataset.sampleSize=80',
    ];
    // After iterations 2 and 4 with 100 queries each, after the last with all.
    const others = 2 * 100 + 500 + 2 * 2500;
    const encoded = (outputs: string) =>
      countWork(run(...settings, `spec.sampledOutputs=${outputs}`).spec, counts).encodedImages;
    expect(encoded('recorded')).toBe(others);
    expect(encoded('encoded')).toBe(others + 5 * 80);
    settings.push('spec.firstCodes=class-means');
    expect(encoded('encoded')).toBe(others + 5 * 80 + counts.train);
  });
});

test('a method on features encodes every image once, and sends features', () => {
  const estimate = estimateRun(run('spec.method=sdh', 'spec.model.width=0.25'), counts, [1], 1, speed);
  expect(estimate).toMatchObject({ steps: 0, trainedImages: 0, encodedImages: 2500 });
  const [one] = estimate.fleets;
  expect(one!.hours! * 3600).toBeCloseTo(2500 / 300, 9);
  // 256 features in float32 for each image; one version of the weights.
  expect(one!.receivedBytes / (2500 * 256 * 4)).toBeCloseTo(1, 2);
  expect(one!.sentBytes / (estimate.weightBytes + 4 * 2500)).toBeCloseTo(1, 1);
});

describe('useful workers', () => {
  test.each([
    [1, [1]],
    [2, [1, 2]],
    [4, [1, 2, 4]],
    [5, [1, 2, 3, 5]],
    [8, [1, 2, 3, 4, 8]],
  ])('of %i microbatches are %o', (microbatches, expected) => {
    expect(usefulWorkers(run(`spec.schedule.microbatches=${microbatches}`).spec, 1)).toEqual(expected);
  });

  test.each([
    [8, 8, [1]],
    [8, 3, [1, 2, 3]],
    // 8, 4, 3, 2 and 1 rounds.
    [64, 8, [1, 2, 3, 4, 8]],
  ])('of %i microbatches are, with %i devices each, %o', (microbatches, devices, expected) => {
    const { spec } = run(`spec.schedule.microbatches=${microbatches}`, 'spec.schedule.batchSize=64');
    expect(usefulWorkers(spec, devices)).toEqual(expected);
  });

  test('are no more than the rows of a batch', () => {
    expect(
      usefulWorkers(run('spec.schedule.batchSize=3', 'spec.schedule.microbatches=8').spec, 1).at(-1),
    ).toBe(3);
  });
});

describe('the time of a run', () => {
  const { spec } = run(
    'spec.dataset.sampleSize=80',
    'spec.schedule.batchSize=64',
    'spec.schedule.microbatches=8',
    'spec.schedule.iterations=2',
    'spec.schedule.epochs=5',
  );
  const work = countWork(spec, counts);

  test('is that of the slowest worker of each step', () => {
    // 64 anchors in eights and 16 in twos; of three workers one has three microbatches: 24 and 6 anchors.
    expect(computeSeconds(spec, work, speed, 3).training).toBeCloseTo((10 * (24 + 6) * 3) / 100, 9);
    expect(computeSeconds(spec, work, speed, 1).training).toBeCloseTo((10 * 80 * 3) / 100, 9);
  });

  test('of encoding is shared evenly', () => {
    expect(computeSeconds(spec, work, speed, 4).encoding).toBeCloseTo((2 * (500 + 80)) / (4 * 300), 9);
  });
});

describe('a run’s estimate', () => {
  test('has no hours without a speed', () => {
    const { fleets } = estimateRun(run(), counts, [1], 1, null);
    expect(
      fleets.every(({ hours, lineBytesPerSecond }) => hours === null && lineBytesPerSecond === null),
    ).toBe(true);
  });

  test('looks at the number of workers that was asked for as well', () => {
    const { fleets } = estimateRun(
      run('spec.schedule.microbatches=8', 'spec.operation.exchange=off'),
      counts,
      [6],
      1,
      speed,
    );
    expect(fleets.map(({ workers }) => workers)).toEqual([1, 2, 3, 4, 6, 8]);
    // Two workers get twice the weights of one.
    expect(fleets[1]!.sentBytes / fleets[0]!.sentBytes).toBeCloseTo(2, 1);
    // Of six workers the slowest has as much to do as of four.
    const [four, six] = fleets.filter(({ workers }) => workers === 4 || workers === 6);
    expect(six!.hours! / four!.hours!).toBeGreaterThan(0.98);
  });

  test('says what each line adds to the hours: the bytes of a step against its computing', () => {
    const settings = [
      'spec.schedule.microbatches=2',
      'spec.operation.evaluation.every=1000',
      'spec.operation.exchange=off',
    ];
    const { fleets, weightBytes, steps } = estimateRun(run(...settings), counts, [1], 1, speed);
    for (const { workers, hours, lines } of fleets) {
      // Every step, each worker gets the weights and sends a gradient, which is as long.
      const seconds = (gigabits: number) => (8 * 2 * steps * workers * weightBytes) / (gigabits * 1e9);
      expect(lines.map(({ gigabitsPerSecond }) => gigabitsPerSecond)).toEqual([1, 10, 25]);
      for (const { gigabitsPerSecond, addedShare } of lines) {
        const expected = seconds(gigabitsPerSecond) / (3600 * hours!);
        expect(addedShare / expected).toBeGreaterThan(0.8);
        expect(addedShare / expected).toBeLessThan(1.25);
      }
    }
  });

  test('bfloat16 halves the bytes of weights and gradients', () => {
    const [long, short] = wirePrecisions.map((precision) => {
      const settings = ['spec.model.backbone=resnet50', `spec.wire.precision=${precision}`];
      const { weightBytes, fleets } = estimateRun(run(...settings), counts, [2], 1, null);
      const { sentBytes, receivedBytes } = fleets.find(({ workers }) => workers === 2)!;
      return { weightBytes, sentBytes, receivedBytes };
    });
    for (const bytes of ['weightBytes', 'sentBytes', 'receivedBytes'] as const) {
      expect(short![bytes] / long![bytes]).toBeGreaterThan(0.5);
      expect(short![bytes] / long![bytes]).toBeLessThan(0.51);
    }
  });

  test('moments of one pass instead of three save their bytes in every step', () => {
    const [three, one] = statisticsPasses.map((passes) => {
      const { fleets, steps } = estimateRun(
        run(
          'spec.batchNormalisation.positives=apart',
          `spec.batchNormalisation.runningStatistics=${passes}`,
          'spec.operation.verification.rate=0',
        ),
        counts,
        [1],
        1,
        null,
      );
      return { steps, received: fleets.find(({ workers }) => workers === 1)!.receivedBytes };
    });
    const { batchNorms, statisticsCount } = describeRunModel(run().spec);
    const ofPass = 8 * (batchNorms.length + 2 * statisticsCount);
    expect(three!.received - one!.received).toBe(2 * ofPass * one!.steps);
  });

  test('a line suffices up to a tenth of the time of computing', () => {
    const suffices = (bytesPerSecond: number) =>
      commonLineEstimates(bytesPerSecond).map((line) => line.suffices);
    expect(suffices(12.5e6)).toEqual([true, true, true]);
    expect(suffices(12.6e6)).toEqual([false, true, true]);
    expect(suffices(126e6)).toEqual([false, false, true]);
    expect(suffices(313e6)).toEqual([false, false, false]);
  });

  test('names for how many workers each line suffices', () => {
    const fleets = [10e6, 100e6, 200e6].map((bytesPerSecond, i) => ({
      workers: 2 ** i,
      lines: commonLineEstimates(bytesPerSecond),
    }));
    expect(describeLines(fleets)).toBe(
      'A line is sufficient if messages add at most 10% to the hours.\n' +
        'A line of 1 Gbit/s is sufficient for 1 worker.\nA line of 10 Gbit/s is sufficient for up to 2 workers.\n' +
        'A line of 25 Gbit/s is sufficient for all of these numbers of workers.\n',
    );
    expect(describeLines(fleets.slice(1))).toContain(
      'A line of 1 Gbit/s is not sufficient for any of these numbers of workers.\n',
    );
  });

  test('is a table for a person', () => {
    const text = estimateTables(
      estimateRun(readTrainingRun('examples/vegfru-48bit.yaml'), counts, [2], 1, speed),
    );
    expect(text).toMatch(/^optimiser steps +75,600$/m);
    expect(text).toMatch(/^most workers of use +8$/m);
    expect(text).toMatch(/^ *8 +8 +[0-9.]+ +[0-9.]+ TB/m);
  });
});

// A ResNet-50 with 48 bits has 23,606,384 parameters and 26,560 channels with a mean and a variance each, in 53 layers.
describe('a step of a ResNet-50, in bytes by hand', () => {
  const gradient = 4 * 23_606_384;
  const weights = gradient + 4 * 2 * 26_560;
  // Two passes: for each layer a count, and for each channel a mean and a sum of squares.
  const vector = gradient + 8 * 2 * (53 + 2 * 26_560);
  const perStep = (workers: number, devices: number, ...settings: string[]) => {
    const resnet = run(
      'spec.method=fcaenet',
      'spec.model.backbone=resnet50',
      'spec.bits=48',
      'spec.schedule.batchSize=64',
      'spec.schedule.microbatches=8',
      'spec.dataset.sampleSize=640',
      'spec.operation.verification.rate=0',
      ...settings,
    );
    const { fleets, steps } = estimateRun(resnet, counts, [workers], devices, speed);
    const fleet = fleets.find((each) => each.workers === workers)!;
    const { sentBytes, receivedBytes, workerSentBytes, workerReceivedBytes } = fleet;
    const each = [sentBytes, receivedBytes, workerSentBytes, workerReceivedBytes].map((all) => all / steps);
    return { fleet, steps, each };
  };
  const expectNear = (found: readonly number[], expected: readonly number[]) => {
    for (const [at, bytes] of found.entries()) {
      expect(bytes / expected[at]!, `figure ${at}`).toBeGreaterThan(0.995);
      expect(bytes / expected[at]!, `figure ${at}`).toBeLessThan(1.02);
    }
  };

  test('in the exchange: one gradient in and the weights out, and 1 + (N − 1)/N of them at a worker', () => {
    for (const workers of [2, 4, 8]) {
      const { fleet, each } = perStep(workers, 1);
      const others = (workers - 1) / workers;
      expect(fleet.path).toBe('exchange');
      expectNear(each, [weights, vector, vector + others * weights, others * vector + weights]);
    }
  });

  test('a worker whose microbatches are no whole subtree sends more than one sum', () => {
    // Microbatches 0 to 2, 3 to 5, and 6 and 7: of two nodes, two and one.
    const { each } = perStep(3, 1);
    expectNear(each, [
      weights,
      vector,
      (2 * vector * 2) / 3 + vector / 3 + (weights * 2) / 3,
      (4 * vector) / 3 + weights,
    ]);
  });

  test('with two workers of four devices: the bytes of two, and the hours of eight', () => {
    const two = perStep(2, 4);
    expectNear(two.each, [weights, vector, vector + weights / 2, vector / 2 + weights]);
    expect(two.fleet.hours).toBe(perStep(8, 1).fleet.hours);
    const seconds = 3600 * two.fleet.hours!;
    // The busiest direction is a worker's.
    const expected = (two.steps * (1.5 * weights + 0.5 * (vector - gradient))) / seconds;
    expectNear([two.fleet.lineBytesPerSecond!], [expected]);
  });

  test('with one worker, and in the star: each sends a gradient, gets the weights, and the coordinator carries them all', () => {
    const alone = perStep(1, 8);
    expect(alone.fleet.path).toBe('star');
    expectNear(alone.each, [weights, vector, vector, weights]);
    const star = perStep(4, 1, 'spec.operation.exchange=off');
    expect(star.fleet.path).toBe('star');
    expectNear(star.each, [4 * weights, 4 * vector, vector, weights]);
    const perSecond = (star.steps * 4 * (weights + vector)) / (3600 * star.fleet.hours!);
    expectNear([star.fleet.lineBytesPerSecond!], [perSecond]);
  });

  test('of what is compared, the coordinator gets the microbatches whole, and the sums once more', () => {
    const [, received] = perStep(8, 1, 'spec.operation.verification.rate=1').each;
    // Eight microbatches from two workers each, the sums, and the same sums from others.
    expectNear([received!], [16 * vector + 2 * vector]);
  });
});
