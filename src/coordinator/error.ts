import { type ExitCode, ExitCode as exit, FcaenetError } from '../errors.js';

export type CoordinatorErrorCode =
  | 'COORDINATOR_DEPOSED'
  | 'COORDINATOR_DIRECTORY_GONE'
  | 'COORDINATOR_CONTRADICTION'
  | 'COORDINATOR_ILLEGAL_TRANSITION'
  | 'COORDINATOR_INTERRUPTED'
  | 'COORDINATOR_JOIN_TOKEN_MISSING'
  | 'COORDINATOR_LANE'
  | 'COORDINATOR_NOTHING_TO_EVALUATE'
  | 'COORDINATOR_OTHER_DATASET'
  | 'COORDINATOR_PLAIN_TEXT_REFUSED';

const exitCodes: Record<CoordinatorErrorCode, ExitCode> = {
  COORDINATOR_DEPOSED: exit.failed,
  COORDINATOR_DIRECTORY_GONE: exit.failed,
  COORDINATOR_CONTRADICTION: exit.failed,
  COORDINATOR_ILLEGAL_TRANSITION: exit.failed,
  COORDINATOR_INTERRUPTED: exit.interrupted,
  COORDINATOR_JOIN_TOKEN_MISSING: exit.badConfiguration,
  COORDINATOR_LANE: exit.failed,
  COORDINATOR_NOTHING_TO_EVALUATE: exit.missingInput,
  COORDINATOR_OTHER_DATASET: exit.badData,
  COORDINATOR_PLAIN_TEXT_REFUSED: exit.badConfiguration,
};

/** An error that ends a run or prevents its start. */
export class CoordinatorError extends FcaenetError {
  override readonly name = 'CoordinatorError';

  constructor(code: CoordinatorErrorCode, message: string, options?: { cause?: unknown }) {
    super(code, message, exitCodes[code], options);
  }
}
