import { type ExitCode, ExitCode as exit, FcaenetError } from '../errors.js';

export type LedgerErrorCode =
  /** A required ledger does not exist. */
  | 'LEDGER_MISSING'
  /** It belongs to another run, dataset or arithmetic. */
  | 'LEDGER_FOREIGN'
  /** A line was changed, or does not follow the previous line. */
  | 'LEDGER_DAMAGED'
  /** A line is not for the next step. */
  | 'LEDGER_STEP'
  /** A step used other samples than the run's keys select. */
  | 'LEDGER_SAMPLES'
  /** Ledger, checkpoint and result belong to different runs. */
  | 'LEDGER_MISMATCH'
  /** The run is not finished. */
  | 'LEDGER_UNFINISHED'
  | 'LEDGER_WRITE';

/** The sample ledger is missing, does not prove the run, or cannot be written. */
export class LedgerError extends FcaenetError {
  override readonly name = 'LedgerError';

  constructor(code: LedgerErrorCode, message: string, options?: { exitCode?: ExitCode; cause?: unknown }) {
    const usual: ExitCode = code === 'LEDGER_WRITE' ? exit.inputOutput : exit.badData;
    super(code, message, options?.exitCode ?? usual, { cause: options?.cause });
  }
}
