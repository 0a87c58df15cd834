import type { Log } from '../console/log.js';
import type { Dataset } from '../data/dataset.js';
import type { BatchNormMoments } from '../model/batch-norm-moments.js';
import type { TrainingRun } from '../run/training-run.js';
import type { EncodeWork__Output } from '../transport/generated/fcaenet/v1/EncodeWork.js';
import type { GradientWork__Output } from '../transport/generated/fcaenet/v1/GradientWork.js';
import type { Heartbeat } from '../transport/generated/fcaenet/v1/Heartbeat.js';
import type { IterationContext__Output } from '../transport/generated/fcaenet/v1/IterationContext.js';
import type { Ready } from '../transport/generated/fcaenet/v1/Ready.js';
import type { ExchangeShape } from './exchange/exchange.js';
import type { FinishedNode } from './gradient-work.js';

/** The outputs of one batch of encode work. */
export interface EncodedBatch {
  readonly bytes: Uint8Array;
  /** Name of the device that computed it; empty where a worker has one. */
  readonly device: string;
}

/** What computes a worker's work of one run: this process, or processes that it starts. It holds no training state. */
export interface ComputingRun {
  /** By this the coordinator decides whether to admit the worker. */
  readonly ready: Ready;
  /** Bytes of a weights transfer. */
  readonly weightBytes: number;
  /** What the exchange of gradients must know of the run. */
  readonly exchangeShape: Omit<ExchangeShape, 'member'>;
  /** Moments of batch normalisation as the exchange takes them. */
  readonly packMoments: (moments: BatchNormMoments) => Float64Array;
  /** Whether it takes more work while it computes. Else its work is given to it one piece after another. */
  readonly isConcurrent: boolean;
  /** Resolves with the reason when it cannot compute any more; null where its work says so. */
  readonly failure: Promise<unknown> | null;
  statistics(): Heartbeat;
  /** @param bytes `weightBytes` bytes at the start of an aligned buffer, which may change when it returns or resolves */
  setWeights(bytes: Uint8Array): void | Promise<void>;
  setIterationContext(context: IterationContext__Output): void;
  /** Yields nodes. Asking for the next one says that the last one's gradient is not needed any more. */
  computeGradients(work: GradientWork__Output, signal: AbortSignal): AsyncGenerator<FinishedNode>;
  encode(work: EncodeWork__Output, signal: AbortSignal): Promise<EncodedBatch>;
  /** Starts to load the images of queued work. */
  prefetch(work: GradientWork__Output): void;
  prefetchUpcoming(work: GradientWork__Output): void;
  prefetchEncode(work: EncodeWork__Output): void;
  /** An error of this run's computations, with its reason where that is known. */
  explain(error: unknown): unknown;
  close(): Promise<void>;
}

/** What a run is prepared from. */
export interface RunIngredients {
  readonly run: TrainingRun;
  /** This worker's copy. */
  readonly dataset: Dataset;
  /** Folder of the decoded images. */
  readonly cache: { readonly directory: string; readonly limitBytes: number };
  readonly log: Log;
  /** Fires when the worker is to leave. */
  readonly signal: AbortSignal;
}

export type PrepareRun = (ingredients: RunIngredients) => Promise<ComputingRun>;
