import { ExitCode } from '../errors.js';

export type InterruptSignal = 'SIGINT' | 'SIGTERM';
type Handler = (signal: InterruptSignal) => void;

let graceful: Handler | undefined;

/**
 * Lets a command end in its own way (write a checkpoint, say goodbye to workers) at the first Ctrl-C or SIGTERM.
 * The second one, and one at a time when no handler is set, ends the process at once.
 *
 * @returns puts the handler away again
 */
export function onInterrupt(handler: Handler): () => void {
  graceful = handler;
  return () => {
    if (graceful === handler) {
      graceful = undefined;
    }
  };
}

/** What a signal does to this process; run-main.ts connects it. */
export function interruptProcess(signal: InterruptSignal): void {
  const handler = graceful;
  graceful = undefined;
  if (handler !== undefined) {
    handler(signal);
    return;
  }
  const reason = signal === 'SIGINT' ? 'Ctrl-C' : signal;
  process.stderr.write(`fcaenet: interrupted by ${reason}.\n`, () => process.exit(ExitCode.failed));
}
