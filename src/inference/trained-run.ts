import { CheckpointStore } from '../checkpoint/store.js';
import { firstFew } from '../console/first-few.js';
import { queryCodesFromTensors } from '../coordinator/checkpoints/code-tensors.js';
import { hashFromTensors } from '../coordinator/checkpoints/hash-tensors.js';
import type { Records } from '../coordinator/checkpoints/run-checkpoints.js';
import { weightsFromTensors } from '../coordinator/checkpoints/weight-tensors.js';
import type { FlatWeights } from '../coordinator/dispatch/outgoing-weights.js';
import { readersFence } from '../coordinator/leadership/leadership.js';
import type { IterationRecord } from '../coordinator/training/run-state.js';
import { isUnset, packCodes } from '../hashing/codes.js';
import { arithmeticVersion } from '../identity/arithmetic-version.js';
import type { Identity } from '../identity/identity.js';
import type { HashFunction } from '../methods/method.js';
import { featureMethod, networkMakesDatabase } from '../methods/methods.js';
import { describeRunModel, type ModelLayout } from '../model/layout.js';
import { readTrainingRun } from '../run/read.js';
import { RunDirectory } from '../run/run-directory.js';
import { trainingHash } from '../run/training-hash.js';
import type { TrainingRunSpec } from '../run/training-run.js';
import { codesAreOfWeights } from '../schedule/schedule.js';
import { InferenceError } from './error.js';

/** Which checkpoint: the newest, the one with the best mean average precision, or one by its name. */
export type CheckpointChoice = 'last' | 'best' | (string & {});

/** What a run has learned, as one of its checkpoints holds it. */
export interface TrainedRun {
  /** `runs/NAME` */
  readonly directory: string;
  readonly name: string;
  readonly spec: TrainingRunSpec;
  readonly layout: ModelLayout;
  /** Name of the checkpoint. */
  readonly checkpoint: string;
  /** Optimiser steps before it. */
  readonly step: number;
  /** Iterations whose database codes it has; 0 before the first V-step. */
  readonly iterations: number;
  readonly weights: FlatWeights;
  /** What makes codes of features; null where the network makes codes. */
  readonly hash: HashFunction | null;
  /** V: the codes of the train split in the dataset's order, packed `[n, wordsPerCode(bits)]` */
  readonly databaseCodes: Uint32Array;
  readonly databaseSize: number;
  readonly datasetFingerprint: string;
  /** Q: the codes of the whole test split, for which V was ranked, ±1 `[queries, bits]`; null when there are none. */
  readonly queryCodes: Int8Array | null;
  /** The newest iteration that was evaluated; null before the first evaluation. */
  readonly evaluated: IterationRecord | null;
  /** Whether the weights have changed since that evaluation. */
  readonly hasStepsSinceEvaluation: boolean;
  /** Of the fcaenet that started the run; null when the checkpoint does not say. */
  readonly version: string | null;
  /** Of the workers that trained it; null when they had different ones. */
  readonly identity: Identity | null;
  /** Newer checkpoints that cannot be used, and why. */
  readonly rejected: readonly { readonly name: string; readonly reason: string }[];
}

/**
 * The run directory at a path, for reading.
 * @throws InferenceError INFERENCE_NO_RUN
 */
export function directoryOfRun(path: string): RunDirectory {
  const directory = RunDirectory.at(path);
  if (directory.isRun) return directory;
  throw new InferenceError(
    'INFERENCE_NO_RUN',
    `${path} is not the directory of a run: it has no run.yaml, expected a directory such as runs/quick`,
  );
}

/**
 * Reads what a finished, interrupted or running run has learned. Changes nothing in its directory, and needs neither
 * its dataset nor an engine.
 * @throws InferenceError INFERENCE_NO_RUN, INFERENCE_NO_CHECKPOINT; RunFileError; CheckpointError when no checkpoint
 * can be used
 */
export async function readTrainedRun(path: string, choice: CheckpointChoice = 'last'): Promise<TrainedRun> {
  const directory = directoryOfRun(path);
  const run = readTrainingRun(directory.runFile);
  const { spec } = run;
  const layout = describeRunModel(spec);
  const fence = readersFence(directory);
  const store = new CheckpointStore(directory.checkpoints, {
    keep: spec.operation.checkpoint.keep,
    fence,
  });
  const name = choice === 'best' ? await bestOf(store, path) : choice;
  const loaded = await store.loadNewest({
    trainingHash: trainingHash(run),
    arithmeticVersion,
    ...(name !== 'last' && { name }),
  });
  if (!loaded) {
    throw new InferenceError(
      'INFERENCE_NO_CHECKPOINT',
      name === 'last'
        ? `${path} has no checkpoint yet, so there is no trained network to use`
        : `${path} has no checkpoint ${name}; expected last, best or one of ${firstFew((await store.list()).map((entry) => entry.name))}`,
    );
  }
  const { state, rejected } = loaded;
  const { weights, codes } = state.tensors;
  const hash = hashFromTensors(codes);
  if (featureMethod(spec.method) && hash === null) {
    throw new InferenceError(
      'INFERENCE_NO_CHECKPOINT',
      `checkpoint ${loaded.name} of ${path} was written before ${spec.method} learned its hash function, so it makes no codes; --resume goes on with the run`,
    );
  }
  const { shape, data } = codes.V!;
  const isStale = networkMakesDatabase(spec.method) && !codesAreOfWeights(spec, state.position);
  if (isStale || isUnset(data as Int8Array)) {
    throw new InferenceError(
      'INFERENCE_NO_CHECKPOINT',
      `checkpoint ${loaded.name} of ${path} has no database codes of its weights: ${spec.method} makes them at the end of ${isStale ? 'an evaluated' : 'each'} iteration; --resume goes on with the run`,
    );
  }
  const records = state.history as Pick<Records, 'datasetFingerprint' | 'iterations'>;
  const evaluated = records.iterations.findLast(({ evaluation }) => evaluation !== null) ?? null;
  const { iteration, epoch, step } = state.position;
  return {
    directory: path,
    name: run.metadata.name,
    spec,
    layout,
    checkpoint: loaded.name,
    step: state.position.globalStep,
    iterations: iteration + (state.position.phase === 'evaluate' ? 1 : 0),
    weights: weightsFromTensors(layout, weights),
    hash,
    databaseCodes: packCodes(data as Int8Array, spec.bits),
    databaseSize: shape[0]!,
    datasetFingerprint: records.datasetFingerprint,
    queryCodes: queryCodesFromTensors(codes),
    evaluated,
    hasStepsSinceEvaluation: evaluated !== null && (iteration > evaluated.iteration || epoch > 0 || step > 0),
    version: state.version,
    identity: state.identity === null ? null : JSON.parse(state.identity),
    rejected,
  };
}

async function bestOf(store: CheckpointStore, path: string): Promise<string> {
  const name = await store.bestName();
  if (name !== null) return name;
  throw new InferenceError(
    'INFERENCE_NO_CHECKPOINT',
    `${path} has no best checkpoint: no checkpoint was evaluated yet, and "last" takes the newest`,
  );
}
