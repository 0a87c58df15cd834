import { type ExitCode, ExitCode as exit, FcaenetError } from '../errors.js';

export type WorkerErrorCode =
  | 'WORKER_REFUSED'
  | 'WORKER_LOST_COORDINATOR'
  | 'WORKER_BAD_WORK'
  | 'WORKER_LEFT'
  | 'WORKER_RUN_FAILED';

const exitCodes: Record<WorkerErrorCode, ExitCode> = {
  WORKER_REFUSED: exit.badConfiguration,
  WORKER_LOST_COORDINATOR: exit.failed,
  WORKER_BAD_WORK: exit.protocol,
  WORKER_LEFT: exit.interrupted,
  WORKER_RUN_FAILED: exit.unavailable,
};

/** Why a worker ended before its run. */
export class WorkerError extends FcaenetError {
  override readonly name = 'WorkerError';

  constructor(code: WorkerErrorCode, message: string, options?: { cause?: unknown }) {
    super(code, message, exitCodes[code], options);
  }
}
