import { type ExitCode, ExitCode as exit, FcaenetError } from '../errors.js';

/**
 * The machine, or this process's share of it, is too small (`MACHINE_OPEN_FILES`, `MACHINE_ADDRESS_SPACE`), or its working
 * folder is gone (`MACHINE_WORKING_FOLDER`).
 */
export class MachineError extends FcaenetError {
  override readonly name = 'MachineError';

  constructor(code: `MACHINE_${string}`, message: string, exitCode: ExitCode = exit.badConfiguration) {
    super(code, message, exitCode);
  }
}
