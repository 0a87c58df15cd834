import { ExitCode } from '../errors.js';

export type InterruptSignal = 'SIGINT' | 'SIGTERM';
type Handler = (signal: InterruptSignal) => void;

/** A terminal's Ctrl-C may arrive twice: from the terminal itself and forwarded by a parent such as npm. */
const repeatMs = 500;

let graceful: Handler | undefined;
let handledAtMs = Number.NEGATIVE_INFINITY;

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
  if (handler !== undefined) {
    graceful = undefined;
    handledAtMs = performance.now();
    handler(signal);
    return;
  }
  if (performance.now() - handledAtMs < repeatMs) {
    return;
  }
  const reason = signal === 'SIGINT' ? 'Ctrl-C' : signal;
  process.stderr.write(`fcaenet: interrupted by ${reason}.\n`, () => process.exit(ExitCode.failed));
}
