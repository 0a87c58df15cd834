import { type ExitCode, ExitCode as exit, FcaenetError } from '../../errors.js';

export type DeviceErrorCode =
  | 'DEVICE_UNKNOWN'
  | 'DEVICE_NONE'
  | 'DEVICE_LOST'
  | 'DEVICE_FAILED'
  | 'DEVICE_OUT_OF_MEMORY'
  | 'DEVICE_TOO_SMALL';

const exitCodes: Record<DeviceErrorCode, ExitCode> = {
  DEVICE_UNKNOWN: exit.badConfiguration,
  DEVICE_NONE: exit.unavailable,
  DEVICE_LOST: exit.unavailable,
  DEVICE_FAILED: exit.failed,
  DEVICE_OUT_OF_MEMORY: exit.failed,
  DEVICE_TOO_SMALL: exit.badConfiguration,
};

/** A GPU that is not there, that failed, or that cannot hold what it should compute. */
export class DeviceError extends FcaenetError {
  override readonly name = 'DeviceError';

  constructor(code: DeviceErrorCode, message: string, options?: { cause?: unknown }) {
    super(code, message, exitCodes[code], options);
  }
}
