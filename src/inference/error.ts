import { type ExitCode, ExitCode as exit, FcaenetError } from '../errors.js';

export type InferenceErrorCode =
  | 'INFERENCE_NO_RUN'
  | 'INFERENCE_NO_CHECKPOINT'
  | 'INFERENCE_PROCESS_ENDED'
  | 'INFERENCE_TIMEOUT';

const exitCodes: Record<InferenceErrorCode, ExitCode> = {
  INFERENCE_NO_RUN: exit.missingInput,
  INFERENCE_NO_CHECKPOINT: exit.missingInput,
  INFERENCE_PROCESS_ENDED: exit.failed,
  INFERENCE_TIMEOUT: exit.failed,
};

/** A run whose trained network cannot be used. */
export class InferenceError extends FcaenetError {
  override readonly name = 'InferenceError';

  constructor(code: InferenceErrorCode, message: string, options?: { cause?: unknown }) {
    super(code, message, exitCodes[code], options);
  }
}
