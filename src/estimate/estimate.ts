import { describeRunModel } from '../model/layout.js';
import { wireWeightBytes } from '../model/wire-weights.js';
import type { TrainingRun } from '../run/training-run.js';
import { cacheFileBytes } from '../worker/images/cache-file.js';
import { computeSeconds, type Speed, usefulWorkers } from './duration.js';
import { commonLineEstimates, type LineEstimate } from './lines.js';
import { estimateTraffic } from './traffic.js';
import { countWork, type DatasetCounts } from './work.js';

/** What a run needs with one number of workers. */
export interface FleetEstimate {
  readonly workers: number;
  /** of computing; null when the speed is unknown */
  readonly hours: number | null;
  /** bytes of messages from the coordinator, and to it */
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /**
   * Required rate of the coordinator's network line, both directions together, so that computing is the bottleneck;
   * null when the speed is unknown.
   */
  readonly lineBytesPerSecond: number | null;
  /** Effect of common network lines when all workers are on other machines; empty when the speed is unknown. */
  readonly lines: readonly LineEstimate[];
}

/** The size of a run. */
export interface RunEstimate {
  readonly steps: number;
  readonly trainedImages: number;
  readonly encodedImages: number;
  /** of the packed files, on every machine with a worker, when every image was decoded */
  readonly cacheBytes: number;
  /** one version of the weights, as a worker gets it */
  readonly weightBytes: number;
  /** Numbers of workers that each make a step noticeably shorter than the previous number. */
  readonly usefulWorkers: readonly number[];
  /** for the useful numbers of workers and the requested one, increasing */
  readonly fleets: readonly FleetEstimate[];
}

/**
 * Estimates a run from its settings and its dataset's counts.
 * @param workers a number of workers to show besides the useful ones
 * @param speed of one worker; null when it is unknown
 */
export function estimateRun(
  { spec }: TrainingRun,
  counts: DatasetCounts,
  workers: number,
  speed: Speed | null,
): RunEstimate {
  const layout = describeRunModel(spec);
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
    weightBytes: wireWeightBytes(layout, spec.wire.precision),
    usefulWorkers: useful,
    fleets: [...new Set([workers, ...useful])].sort((left, right) => left - right).map(fleet),
  };
}
