import { ExitCode, FcaenetError } from '../errors.js';

/** An engine that cannot be loaded, or a request that it does not support. Codes start with `ENGINE_`. */
export class EngineError extends FcaenetError {
  override readonly name = 'EngineError';

  constructor(code: `ENGINE_${string}`, message: string, options?: { cause?: unknown }) {
    super(code, message, ExitCode.unavailable, options);
  }
}
