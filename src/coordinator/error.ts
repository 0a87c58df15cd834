import { type ExitCode, ExitCode as exit, FcaenetError } from '../errors.js';

export type CoordinatorErrorCode =
  | 'COORDINATOR_INTERRUPTED'
  | 'COORDINATOR_NO_WORKERS'
  | 'COORDINATOR_NOTHING_TO_RESUME'
  | 'COORDINATOR_RUN_EXISTS'
  | 'COORDINATOR_PLAIN_TEXT_REFUSED';

const exitCodes: Record<CoordinatorErrorCode, ExitCode> = {
  COORDINATOR_INTERRUPTED: exit.interrupted,
  COORDINATOR_NO_WORKERS: exit.unavailable,
  COORDINATOR_NOTHING_TO_RESUME: exit.missingInput,
  COORDINATOR_RUN_EXISTS: exit.cannotCreate,
  COORDINATOR_PLAIN_TEXT_REFUSED: exit.badConfiguration,
};

/** Why the coordinator ended a run, or did not start one. */
export class CoordinatorError extends FcaenetError {
  override readonly name = 'CoordinatorError';

  constructor(
    code: CoordinatorErrorCode,
    message: string,
    options?: { cause?: unknown; exitCode?: ExitCode },
  ) {
    super(code, message, options?.exitCode ?? exitCodes[code], options);
  }
}
