import { KeyedRandom, Purpose } from '../data/random.js';
import type { EngineDescription } from '../engine/engine.js';
import { secondsInGraphs } from '../engine/graph/session.js';
import { loadEngine } from '../engine/loader.js';
import { imagesPerAnchor } from '../methods/methods.js';
import { computeGradientAnywhere, encodeImagesAnywhere } from '../model/any-engine.js';
import { initialWeights } from '../model/initial.js';
import { describeRunModel } from '../model/layout.js';
import { microbatchRows } from '../model/microbatch-memory.js';
import { Network } from '../model/network.js';
import type { TrainingRunSpec } from '../run/training-run.js';
import { fixedMicrobatch } from './fixed-microbatch.js';

/** Speed of one worker on this machine, without decoding. */
export interface WorkerSpeed {
  /** forward and backward */
  readonly trainedImagesPerSecond: number;
  /** forward only, as for queries */
  readonly encodedImagesPerSecond: number;
  /**
   * Share of the time of training, 0 to 1, in which no graph ran: the worker's own work, while its device waits. Null
   * where the engine runs no graphs.
   */
  readonly outsideGraphs: number | null;
  /** What it ran on. */
  readonly description: EngineDescription;
}

/** What a speed was measured with: the part of a run that it depends on. */
export interface MeasuredWork {
  readonly method: string;
  readonly backbone: string;
  readonly width: number;
  readonly imageSize: number;
  /** Rows of a microbatch, each an anchor with its positive and its erased copy. */
  readonly rows: number;
}

/** What `measureSpeed` measures of a run. */
export function measuredWork(spec: TrainingRunSpec): MeasuredWork {
  const { method } = spec;
  const { backbone, width, imageSize } = spec.model;
  return { method, backbone, width, imageSize, rows: microbatchRows(spec) };
}

/** Long enough for a stable processor clock, short enough to wait for. */
const measuredMs = 3_000;

/**
 * Computes microbatches of the run's size on its engine for a few seconds, at least one.
 * @throws EngineError when no engine can run
 */
export async function measureSpeed(spec: TrainingRunSpec): Promise<WorkerSpeed> {
  const { description } = await loadEngine(spec.engine.name, { threads: spec.engine.threadsPerMicrobatch });
  const layout = describeRunModel(spec);
  const network = new Network(layout);
  try {
    const random = new KeyedRandom(spec.seed);
    network.setWeights(initialWeights(layout, random));
    const side = spec.model.imageSize;
    const picture = Uint8Array.from(
      { length: side * side * 3 },
      (_, i) => random.word(Purpose.probe, 1, 0, i) & 255,
    );
    const microbatch = fixedMicrobatch(spec, picture, random);
    const rows = microbatch.labels.length;
    const training = await measureCalls(() => computeGradientAnywhere(network, microbatch));
    const encoding = await measureCalls(() => encodeImagesAnywhere(network, microbatch.anchors, rows));
    return {
      trainedImagesPerSecond: rows * imagesPerAnchor(spec.method) * training.perSecond,
      encodedImagesPerSecond: rows * encoding.perSecond,
      outsideGraphs: training.outsideGraphs,
      description,
    };
  } finally {
    network.dispose();
  }
}

/** How fast calls follow each other, and the share of their time in which no graph ran. */
interface MeasuredCalls {
  readonly perSecond: number;
  readonly outsideGraphs: number | null;
}

/** The first call prepares kernels and memory. It is not counted. */
async function measureCalls(call: () => Promise<unknown>): Promise<MeasuredCalls> {
  await call();
  const inGraphs = secondsInGraphs();
  const started = performance.now();
  let calls = 0;
  let elapsedMs: number;
  do {
    await call();
    calls += 1;
    elapsedMs = performance.now() - started;
  } while (elapsedMs < measuredMs);
  const graphMs = 1000 * (secondsInGraphs() - inGraphs);
  return {
    perSecond: (1000 * calls) / elapsedMs,
    outsideGraphs: graphMs > 0 ? 1 - graphMs / elapsedMs : null,
  };
}
