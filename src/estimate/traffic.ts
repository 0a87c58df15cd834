import { wordsPerCode } from '../hashing/codes.js';
import { featureMethod, networkMakesDatabase, pairLoss } from '../methods/methods.js';
import { localFeatureCount, type ModelLayout } from '../model/layout.js';
import { histogramBins } from '../retrieval/histogram.js';
import type { TrainingRunSpec } from '../run/training-run.js';
import { encodeBatchSize } from '../schedule/encode-batches.js';
import {
  type FleetTraffic,
  messageBytes,
  StepTraffic,
  type Traffic,
  type WorkerFleet,
} from './step-traffic.js';
import {
  type ComparedLeaves,
  type DatasetCounts,
  encodedForAnchors,
  encodedForFirstCodes,
  encodedQueries,
  encodedSamples,
  evaluations,
  type RunWork,
} from './work.js';

/** Traffic of a whole run. */
export interface RunTraffic extends FleetTraffic {
  /** Whether workers exchange gradients and weights; else the coordinator carries all of them. */
  readonly isExchanged: boolean;
}

/**
 * What a run sends and receives with these workers from its first to its last step, if none is lost or late: mainly
 * weights and gradients. Heartbeats and logs depend on time and are not included. Of the worker, what is compared is not.
 */
export function estimateTraffic(
  spec: TrainingRunSpec,
  layout: ModelLayout,
  counts: DatasetCounts,
  work: RunWork,
  compared: readonly ComparedLeaves[],
  fleet: WorkerFleet,
): RunTraffic {
  const { workers } = fleet;
  const step = new StepTraffic(spec, layout, fleet);
  const epochs = spec.schedule.iterations * spec.schedule.epochs;
  const coordinator = { sentBytes: 0, receivedBytes: 0 };
  const worker = { sentBytes: 0, receivedBytes: 0 };
  const add = (traffic: FleetTraffic, times: number) => {
    addTo(coordinator, traffic.coordinator, times);
    addTo(worker, traffic.worker, times);
  };
  /** @param sharers workers of which each has the same part of it */
  const addShared = (traffic: Traffic, times: number, sharers: number) => {
    addTo(coordinator, traffic, times);
    const { sentBytes, receivedBytes } = traffic;
    addTo(worker, { sentBytes: receivedBytes, receivedBytes: sentBytes }, times / sharers);
  };
  for (const [batch, rows] of work.batches.entries()) {
    add(step.of(rows, work.batches[(batch + 1) % work.batches.length]!), epochs);
  }
  addTo(coordinator, step.verification(work.steps, compared), 1);
  const busy = Math.min(workers, step.leavesOf(work.batches[0]!));
  const comparesPairs = pairLoss(spec.method) !== null;
  if (comparesPairs) for (const rows of work.batches) addShared(step.pairing(rows), epochs, busy);
  const trainedIterations = epochs > 0 && !comparesPairs ? spec.schedule.iterations : 0;
  addShared({ sentBytes: busy * contextBytes(spec, counts), receivedBytes: 0 }, trainedIterations, busy);
  const anchored = encodedForAnchors(spec, counts);
  const localBytes = 4 * localFeatureCount(layout);
  addShared(encodeTraffic(anchored, localBytes), 1, workers);
  // Every time they are made, each worker gets those of the classes.
  const anchors = messageBytes + counts.classes * localBytes;
  addShared({ sentBytes: busy * anchors, receivedBytes: 0 }, anchored / counts.train, busy);
  const encodesFeatures = featureMethod(spec.method) !== null;
  const featureBytes = 4 * layout.featureWidth;
  const queryBytes = encodesFeatures ? featureBytes : 4 * wordsPerCode(spec.bits);
  addShared(encodeTraffic(encodedQueries(spec, counts), queryBytes), 1, workers);
  addShared(encodeTraffic(encodedForFirstCodes(spec, counts), featureBytes), 1, workers);
  const samples = encodedSamples(spec, counts);
  const isLearned = !encodesFeatures && !networkMakesDatabase(spec.method);
  addShared(encodeTraffic(samples, isLearned ? 4 * spec.bits : queryBytes), 1, workers);
  if (spec.operation.evaluation.untrained) {
    const images = counts.train + counts.test;
    addShared(encodeTraffic(images, 4 * histogramBins), 1, workers);
    addShared(encodeTraffic(images, 4 * layout.featureWidth), 1, workers);
  }
  // The weights after the last step are only sent for the last V-step and evaluation.
  const versions = step.isExchanged ? 1 : starWeights(spec, counts, samples, workers, busy);
  addTo(coordinator, step.weights.coordinator, versions);
  addTo(worker, step.weights.worker, 1);
  return { coordinator: whole(coordinator), worker: whole(worker), isExchanged: step.isExchanged };
}

/**
 * How many times the star sends weights besides those of the steps. The weights for V-steps and evaluations are also those
 * of the next step, but idle workers get them too.
 */
function starWeights(
  spec: TrainingRunSpec,
  counts: DatasetCounts,
  samples: number,
  workers: number,
  busy: number,
): number {
  const fed = (images: number) => Math.min(workers, Math.ceil(images / (2 * encodeBatchSize)));
  const fedSamples = samples > 0 ? fed(samples / spec.schedule.iterations) : 0;
  const fedBoth = Math.max(fedSamples, fed(counts.test));
  const spares = (encoding: number) => Math.max(0, encoding - busy);
  const evaluated = evaluations(spec) - 1;
  const unevaluated = spec.schedule.iterations - 1 - evaluated;
  const untrained = spec.operation.evaluation.untrained ? spares(fed(counts.train + counts.test)) : 0;
  return fedBoth + spares(fedBoth) * evaluated + spares(fedSamples) * unevaluated + untrained;
}

function addTo(total: { sentBytes: number; receivedBytes: number }, traffic: Traffic, times: number): void {
  total.sentBytes += times * traffic.sentBytes;
  total.receivedBytes += times * traffic.receivedBytes;
}

/** A part of a range, or an expected number of comparisons, may be no whole byte. */
function whole({ sentBytes, receivedBytes }: Traffic): Traffic {
  return { sentBytes: Math.round(sentBytes), receivedBytes: Math.round(receivedBytes) };
}

/** What a step needs of V: Gram matrix, class sums and total in float64, class sizes. */
function contextBytes({ bits }: TrainingRunSpec, { classes }: DatasetCounts): number {
  return messageBytes + 8 * (bits * bits + classes * bits + bits) + 4 * classes;
}

function encodeTraffic(images: number, bytesPerImage: number): Traffic {
  const batches = Math.ceil(images / encodeBatchSize);
  return {
    sentBytes: batches * messageBytes + 4 * images,
    receivedBytes: batches * 2 * messageBytes + images * bytesPerImage,
  };
}
