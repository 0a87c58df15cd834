import { createHash } from 'node:crypto';
import type { Dataset } from '../../data/dataset.js';
import { packCodes } from '../../hashing/codes.js';
import type { Identity } from '../../identity/identity.js';
import { lossTerms } from '../../model/loss.js';
import type { TrainingRun } from '../../run/training-run.js';
import { bytesOf } from '../../transport/bytes.js';
import type { Traffic } from '../../transport/service.js';
import type { RunState } from './run-state.js';

/** SHA-256 (hex) of parameters, running means and running variances: little-endian float32, in the layout's order. */
export function weightsSha256(state: RunState): string {
  const { parameters, mean, variance } = state.weights;
  const hash = createHash('sha256');
  for (const part of [parameters, mean, variance]) hash.update(bytesOf(part));
  return hash.digest('hex');
}

/** SHA-256 (hex) of the packed database codes: little-endian uint32 words, row by row. */
export function codesSha256(state: RunState, bits: number): string {
  return createHash('sha256')
    .update(bytesOf(packCodes(state.codes, bits)))
    .digest('hex');
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
      losses: Object.fromEntries(lossTerms.map((term, i) => [term, losses[i]])),
    })),
  };
}

export type RunResult = ReturnType<typeof describeResult>;
