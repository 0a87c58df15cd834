import { describeModel } from '../model/layout.js';
import type { TrainingRun } from '../run/training-run.js';
import { cacheFileBytes } from '../worker/images/cache-file.js';
import { computeSeconds, type Speed, usefulWorkers } from './duration.js';
import { commonLineEstimates, type LineEstimate } from './lines.js';
import { estimateTraffic } from './traffic.js';
import { countWork, type DatasetCounts } from './work.js';

/** What a run takes with one number of workers. */
export interface FleetEstimate {
  readonly workers: number;
  /** of computing; null where no speed is known */
  readonly hours: number | null;
  /** bytes of messages from the coordinator, and to it */
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** What the coordinator's line must carry, both ways together, so that computing decides; null without a speed. */
  readonly lineBytesPerSecond: number | null;
  /** What common lines do, when all workers are on other machines; empty without a speed. */
  readonly lines: readonly LineEstimate[];
}

/** The size of a run. */
export interface RunEstimate {
  readonly steps: number;
  readonly trainedImages: number;
  readonly encodedImages: number;
  /** of the packed files, on every machine with a worker, when every image was decoded */
  readonly cacheBytes: number;
  /** one version of the weights, as a checkpoint or a worker gets it */
  readonly weightBytes: number;
  /** Numbers of workers that each make a step noticeably shorter than the one before. */
  readonly usefulWorkers: readonly number[];
  /** with the useful numbers of workers and the one that was asked for, rising */
  readonly fleets: readonly FleetEstimate[];
}

/**
 * Estimates a run from its settings and its dataset's counts.
 * @param workers a number of workers to look at besides the useful ones
 * @param speed of one worker; null where it is not known
 */
export function estimateRun(
  { spec }: TrainingRun,
  counts: DatasetCounts,
  workers: number,
  speed: Speed | null,
): RunEstimate {
  const layout = describeModel({ ...spec.model, bits: spec.bits });
  const work = countWork(spec, counts);
  const useful = usefulWorkers(spec);
  const fleet = (count: number): FleetEstimate => {
    const traffic = estimateTraffic(spec, layout, counts, work, count);
    const seconds = speed && computeSeconds(spec, work, speed, count);
    const total = seconds && seconds.training + seconds.encoding;
    const lineBytesPerSecond = total && (traffic.sentBytes + traffic.receivedBytes) / total;
    return {
      workers: count,
      hours: total && total / 3600,
      ...traffic,
      lineBytesPerSecond,
      lines: lineBytesPerSecond === null ? [] : commonLineEstimates(lineBytesPerSecond),
    };
  };
  const form = { crop: spec.augmentation.crop, imageSize: spec.model.imageSize };
  const packed = (count: number) => cacheFileBytes({ ...form, count });
  return {
    steps: work.steps,
    trainedImages: work.trainedImages,
    encodedImages: work.encodedImages,
    cacheBytes: packed(counts.train) + packed(counts.test),
    weightBytes: 4 * (layout.parameterCount + 2 * layout.statisticsCount),
    usefulWorkers: useful,
    fleets: [...new Set([workers, ...useful])].sort((left, right) => left - right).map(fleet),
  };
}
