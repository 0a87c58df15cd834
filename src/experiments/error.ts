import { ExitCode, FcaenetError } from '../errors.js';

/** A table, an ablation or a search that cannot be made, or whose runs failed. */
export class ExperimentError extends FcaenetError {
  override readonly name = 'ExperimentError';

  constructor(
    code: `EXPERIMENT_${string}`,
    message: string,
    exitCode: ExitCode = ExitCode.badConfiguration,
    options?: { cause?: unknown },
  ) {
    super(code, message, exitCode, options);
  }
}
