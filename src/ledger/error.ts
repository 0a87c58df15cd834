import { type ExitCode, ExitCode as exit, FcaenetError } from '../errors.js';

export type LedgerErrorCode =
  /** There is no ledger where there has to be one. */
  | 'LEDGER_MISSING'
  /** It belongs to another run, dataset or arithmetic. */
  | 'LEDGER_FOREIGN'
  /** A line is not what was written, or does not follow the line before it. */
  | 'LEDGER_DAMAGED'
  /** A line is for another step than the one that comes next. */
  | 'LEDGER_STEP'
  /** A step used other samples than the run's keys choose. */
  | 'LEDGER_SAMPLES'
  /** Ledger, checkpoint and result do not tell of the same run. */
  | 'LEDGER_MISMATCH'
  /** The run has not got to its end. */
  | 'LEDGER_UNFINISHED'
  | 'LEDGER_WRITE';

/** The sample ledger is not, or does not prove, what it should; or it cannot be written. */
export class LedgerError extends FcaenetError {
  override readonly name = 'LedgerError';

  constructor(code: LedgerErrorCode, message: string, options?: { exitCode?: ExitCode; cause?: unknown }) {
    const usual: ExitCode = code === 'LEDGER_WRITE' ? exit.inputOutput : exit.badData;
    super(code, message, options?.exitCode ?? usual, { cause: options?.cause });
  }
}
