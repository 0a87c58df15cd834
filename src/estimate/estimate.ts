import { describeRunModel } from '../model/layout.js';
import { wireWeightBytes } from '../model/wire-weights.js';
import type { TrainingRun } from '../run/training-run.js';
import { cacheFileBytes } from '../worker/images/cache-file.js';
import { computeSeconds, type Speed, usefulWorkers } from './duration.js';
import { commonLineEstimates, type LineEstimate } from './lines.js';
import { estimateTraffic, type RunTraffic } from './traffic.js';
import { comparedLeaves, countWork, type DatasetCounts } from './work.js';

/** What a run needs with one number of workers. */
export interface FleetEstimate {
  readonly workers: number;
  /** of each worker */
  readonly devices: number;
  /** of computing; null when the speed is unknown */
  readonly hours: number | null;
  /** whether the workers exchange gradients and weights, or the coordinator carries all */
  readonly path: 'exchange' | 'star';
  /** bytes of messages from the coordinator, and to it */
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** bytes of messages from the worker that sends most, and to that which receives most */
  readonly workerSentBytes: number;
  readonly workerReceivedBytes: number;
  /**
   * What the busiest line carries in a second of computing, if computing is the bottleneck: in the star the
   * coordinator's, both directions together, because one follows the other; in the exchange one direction. Null when
   * the speed is unknown.
   */
  readonly lineBytesPerSecond: number | null;
  /** Effect of common network lines; empty when the speed is unknown. */
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
 * Estimates a run from its settings and its dataset's counts, with all workers on other machines than the coordinator.
 * @param workers numbers of workers to show besides the useful ones
 * @param devices of each worker
 * @param speed of one device; null when it is unknown
 */
export function estimateRun(
  { spec }: TrainingRun,
  counts: DatasetCounts,
  workers: readonly number[],
  devices: number,
  speed: Speed | null,
): RunEstimate {
  const layout = describeRunModel(spec);
  const work = countWork(spec, counts);
  const compared = comparedLeaves(spec, work);
  const useful = usefulWorkers(spec, devices);
  const fleet = (count: number): FleetEstimate => {
    const traffic = estimateTraffic(spec, layout, counts, work, compared, { workers: count, devices });
    const { coordinator, worker, isExchanged } = traffic;
    const seconds = speed && computeSeconds(spec, work, speed, count * devices);
    const total = seconds && seconds.training + seconds.encoding;
    const lineBytesPerSecond = total && busiestBytes(traffic) / total;
    return {
      workers: count,
      devices,
      hours: total && total / 3600,
      path: isExchanged ? 'exchange' : 'star',
      ...coordinator,
      workerSentBytes: worker.sentBytes,
      workerReceivedBytes: worker.receivedBytes,
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
    fleets: [...new Set([...workers, ...useful])].sort((left, right) => left - right).map(fleet),
  };
}

/** What the busiest line carries one after another. */
function busiestBytes({ coordinator, worker, isExchanged }: RunTraffic): number {
  return isExchanged
    ? Math.max(...[coordinator, worker].flatMap(({ sentBytes, receivedBytes }) => [sentBytes, receivedBytes]))
    : coordinator.sentBytes + coordinator.receivedBytes;
}
