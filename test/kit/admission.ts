import type { Admission } from '../../src/coordinator/admission/hello.js';
import type { TrainingRun } from '../../src/run/training-run.js';
import { fingerprint } from './scripted-worker.js';

/** What a coordinator in its first term knows of `run` when scripted workers join. */
export function admissionOf(run: TrainingRun): Admission {
  return {
    run,
    term: 1,
    datasetFingerprint: fingerprint,
    classCount: 2,
    identity: null,
    version: '0.1.0',
  };
}
