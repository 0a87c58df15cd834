import * as z from 'zod';
import { sha256OfPieces } from '../../checkpoint/pieces-sha256.js';
import type { Dataset } from '../../data/dataset.js';
import { ExitCode } from '../../errors.js';
import { packCodes } from '../../hashing/codes.js';
import type { Identity } from '../../identity/identity.js';
import { lossesByTerm } from '../../model/loss.js';
import { RunFileError } from '../../run/error.js';
import type { RunDirectory } from '../../run/run-directory.js';
import type { TrainingRun } from '../../run/training-run.js';
import { wrongField } from '../../run/wrong-field.js';
import { bytesOf } from '../../transport/bytes.js';
import type { Traffic } from '../../transport/service.js';
import type { RunState } from './run-state.js';

/** SHA-256 (hex) of parameters, running means and running variances: little-endian float32, in the layout's order. */
export function weightsSha256(state: RunState): string {
  const { parameters, mean, variance } = state.weights;
  return sha256OfPieces([parameters, mean, variance].map(bytesOf));
}

/** SHA-256 (hex) of the packed database codes: little-endian uint32 words, row by row. */
export function codesSha256(state: RunState, bits: number): string {
  return sha256OfPieces([bytesOf(packCodes(state.codes, bits))]);
}

/** What `result.json` holds: the outcome of a finished run. */
export function describeResult(
  run: TrainingRun,
  dataset: Dataset,
  state: RunState,
  term: number,
  fleet: {
    readonly identity: Identity;
    readonly device: string;
    readonly workers: number;
    /** Bytes of messages of this process, without those of earlier processes of the run. */
    readonly traffic: Traffic;
  },
) {
  const { spec } = run;
  const last = state.history.at(-1)?.evaluation ?? null;
  return {
    run: run.metadata.name,
    term,
    dataset: {
      path: spec.dataset.path,
      fingerprint: dataset.fingerprint,
      classes: dataset.classNames.length,
      train: dataset.train.labels.length,
      test: dataset.test.labels.length,
    },
    method: spec.method,
    bits: spec.bits,
    seed: spec.seed,
    iterations: state.position.iteration,
    mAP: last?.mAP ?? null,
    tieAveragedMAP: last?.tieAveragedMAP ?? null,
    precisionAt: last?.precisionAt ?? {},
    untrained: state.untrained,
    engine: { ...fleet.identity, device: fleet.device },
    workers: fleet.workers,
    steps: state.position.globalStep,
    images: state.images,
    traffic: { ...fleet.traffic },
    seconds: state.seconds,
    imagesPerSecond: state.images / state.seconds,
    weightsSha256: weightsSha256(state),
    codesSha256: codesSha256(state, spec.bits),
    history: state.history.map(({ losses, ...record }) => ({
      ...record,
      losses: lossesByTerm(spec.method, losses),
    })),
  };
}

export type RunResult = ReturnType<typeof describeResult>;

const evaluationSchema = z.looseObject({
  mAP: z.number(),
  tieAveragedMAP: z.number(),
  precisionAt: z.record(z.string(), z.number()),
});
const digest = z.string().regex(/^[0-9a-f]{64}$/, 'expected a SHA-256');

/** The fields of a result that commands read. */
const resultSchema = z.looseObject({
  run: z.string(),
  term: z.number(),
  dataset: z.looseObject({ fingerprint: z.string() }),
  mAP: z.number().nullable(),
  tieAveragedMAP: z.number().nullable(),
  precisionAt: z.record(z.string(), z.number()),
  untrained: z.object({ colorHistogram: z.number(), randomProjection: z.number() }).nullable(),
  workers: z.number(),
  seconds: z.number(),
  /** JSON has no infinity: a run that took no time has null. */
  imagesPerSecond: z.number().nullable(),
  weightsSha256: digest,
  codesSha256: digest,
  history: z.array(z.looseObject({ iteration: z.number(), evaluation: evaluationSchema.nullable() })),
});

/**
 * The result of a run, or null when there is none, or when it does not belong to the highest term's history.
 * @throws RunFileError RUN_RESULT_DAMAGED, naming the field, when it is JSON but not a result
 */
export function readResult(directory: RunDirectory): RunResult | null {
  const found = directory.readResult();
  return found === null
    ? null
    : checkedResult(found, directory.resultFile, 'delete the file, and --resume writes it again');
}

/**
 * What was read from a file, if it is a result.
 * @param remedy ends the sentence of the error
 * @throws RunFileError RUN_RESULT_DAMAGED, naming the field
 */
export function checkedResult(found: unknown, file: string, remedy: string): RunResult {
  const { success, error } = resultSchema.safeParse(found);
  if (success) return found as RunResult;
  const { field, is } = wrongField(found, error.issues);
  throw new RunFileError(
    'RUN_RESULT_DAMAGED',
    `the result ${file} is damaged: its field ${field} is ${is}; ${remedy}`,
    ExitCode.badData,
  );
}
