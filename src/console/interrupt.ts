import { closeSync } from 'node:fs';
import { ExitCode } from '../errors.js';

/** What asks this process to end: Ctrl-C, whoever supervises it, and a terminal that was closed. */
const interruptSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
export type InterruptSignal = (typeof interruptSignals)[number];
type Handler = (signal: InterruptSignal) => void;

/** A terminal's Ctrl-C may arrive twice: from the terminal itself and forwarded by a parent such as npm. */
const repeatMs = 500;

let graceful: Handler | undefined;
let handledAtMs: number | undefined;

/**
 * Lets a command end in its own way (write a checkpoint, say goodbye to workers) at the first Ctrl-C, SIGTERM or
 * SIGHUP. The second one ends the process at once, and so does one while no handler is set.
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

/**
 * Connects the signals, from now on. A process without a handler may lose one: the kernel drops what it would end
 * process 1 of a container with.
 */
export function receiveSignals(environment: NodeJS.ProcessEnv = process.env): void {
  // Node would open a debugger on a port that every user of the machine can reach.
  if (environment.FCAENET_DEBUG !== '1') process.on('SIGUSR1', () => {});
  for (const signal of interruptSignals) process.on(signal, () => interruptProcess(signal));
  process.once('SIGHUP', () => process.once('exit', leaveTerminal));
}

/** Node resets the terminal when it exits, and crashes where there is none any more; what is closed it leaves alone. */
function leaveTerminal(): void {
  for (const file of [0, 1, 2]) {
    try {
      closeSync(file);
    } catch {
      // It was closed before.
    }
  }
}

/** What a signal does to this process. */
export function interruptProcess(signal: InterruptSignal): void {
  const handler = graceful;
  if (handler !== undefined) {
    graceful = undefined;
    handledAtMs = performance.now();
    handler(signal);
    return;
  }
  if (handledAtMs !== undefined && performance.now() - handledAtMs < repeatMs) {
    return;
  }
  const reason = signal === 'SIGINT' ? 'Ctrl-C' : signal;
  // What had nothing to save may be run again; what was told twice gave up what it was saving.
  const exitCode = handledAtMs === undefined ? ExitCode.interrupted : ExitCode.failed;
  process.stderr.write(`fcaenet: interrupted by ${reason}.\n`, () => process.exit(exitCode));
}
