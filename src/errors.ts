/**
 * How a process of this project ends. 75 asks to be run again; 64–74 and 76–78 (the meanings of sysexits.h) say
 * that running again with the same input cannot help.
 */
export const ExitCode = {
  finished: 0,
  failed: 1,
  usage: 64,
  badData: 65,
  missingInput: 66,
  unavailable: 69,
  cannotCreate: 73,
  inputOutput: 74,
  interrupted: 75,
  protocol: 76,
  badConfiguration: 78,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** Whether an exit code says that running again with the same input cannot help. */
export function isHopeless(exitCode: number | null): boolean {
  return exitCode !== null && exitCode >= 64 && exitCode <= 78 && exitCode !== ExitCode.interrupted;
}

/**
 * Base of every error a user can meet. The message is one sentence that names the value and what was expected;
 * `code` is stable and machine-readable (`AREA_WHAT`); the cause stays attached and is never sent to a peer.
 */
export class FcaenetError extends Error {
  override readonly name: string = 'FcaenetError';

  constructor(
    readonly code: string,
    message: string,
    readonly exitCode: ExitCode,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}
