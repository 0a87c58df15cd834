import { closeSync } from 'node:fs';
import { ExitCode } from '../errors.js';

/** What asks this process to end: Ctrl-C, whoever supervises it, and a terminal that was closed. */
const interruptSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
export type InterruptSignal = (typeof interruptSignals)[number];
type Handler = (signal: InterruptSignal) => void;

/** A terminal's Ctrl-C may arrive twice: from the terminal, and forwarded by a parent such as npm. */
const repeatMs = 500;

let graceful: Handler | null = null;
let handledAtMs: number | null = null;

/**
 * Lets a command end in its own way (write a checkpoint, tell the workers) at the first Ctrl-C, SIGTERM or SIGHUP. The
 * second signal ends the process immediately, and so does one without a handler.
 * @returns removes the handler
 */
export function onInterrupt(handler: Handler): () => void {
  graceful = handler;
  return () => {
    if (graceful === handler) {
      graceful = null;
    }
  };
}

/** Connects the signals. Without a handler, the kernel drops signals that would end process 1 of a container. */
export function receiveSignals(environment: NodeJS.ProcessEnv = process.env): void {
  // Node would open a debugger on a port that every user of the machine can reach.
  if (environment.FCAENET_DEBUG !== '1') process.on('SIGUSR1', () => {});
  for (const signal of interruptSignals) process.on(signal, () => interruptProcess(signal));
  process.once('SIGHUP', () => process.once('exit', leaveTerminal));
}

/** Node resets the terminal when it exits, and crashes when the terminal is gone. It ignores closed descriptors. */
function leaveTerminal(): void {
  for (const file of [0, 1, 2]) {
    try {
      closeSync(file);
    } catch {
      // It was closed before.
    }
  }
}

/** The effect of a signal on this process. */
export function interruptProcess(signal: InterruptSignal): void {
  const handler = graceful;
  if (handler !== null) {
    graceful = null;
    handledAtMs = performance.now();
    handler(signal);
    return;
  }
  if (handledAtMs !== null && performance.now() - handledAtMs < repeatMs) {
    return;
  }
  const reason = signal === 'SIGINT' ? 'Ctrl-C' : signal;
  // A process without unsaved state may be run again. A second signal interrupts saving.
  const exitCode = handledAtMs === null ? ExitCode.interrupted : ExitCode.failed;
  process.stderr.write(`fcaenet: interrupted by ${reason}.\n`, () => process.exit(exitCode));
}
