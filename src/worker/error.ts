import { type ExitCode, ExitCode as exit, FcaenetError } from '../errors.js';

export type WorkerErrorCode =
  | 'WORKER_REFUSED'
  | 'WORKER_LOST_COORDINATOR'
  | 'WORKER_BAD_WORK'
  | 'WORKER_LEFT'
  | 'WORKER_DEVICES'
  | 'WORKER_EXCHANGE'
  | 'WORKER_RUN_FAILED';

const exitCodes: Record<WorkerErrorCode, ExitCode> = {
  WORKER_REFUSED: exit.badConfiguration,
  WORKER_LOST_COORDINATOR: exit.failed,
  WORKER_BAD_WORK: exit.protocol,
  WORKER_LEFT: exit.interrupted,
  WORKER_DEVICES: exit.failed,
  WORKER_EXCHANGE: exit.failed,
  WORKER_RUN_FAILED: exit.unavailable,
};

/** Why a worker ended before its run. */
export class WorkerError extends FcaenetError {
  override readonly name = 'WorkerError';

  /** @param options.exitCode of the process whose failure this is; by default the code's */
  constructor(
    code: WorkerErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly exitCode?: ExitCode } = {},
  ) {
    super(code, message, options.exitCode ?? exitCodes[code], { cause: options.cause });
  }
}
