import { terminalPaint } from './colour.js';
import { jsonIsAsked } from './form.js';
import { jsonLog, type Log, textLog } from './log.js';
import { LossyOutput, strictOutput } from './output.js';
import { warnOfOverdue } from './overdue.js';
import { loggedTask, type ProgressTask, type TaskDescription } from './progress.js';
import { TerminalProgress } from './terminal-progress.js';

/** Output of a command while it works. run-main.ts reports the error that ends it. */
export interface Console {
  readonly log: Log;
  /** Whether the output is a terminal: bars and short lines, else JSON lines. */
  readonly isTerminal: boolean;
  /** Number of log lines that could not be written so far. */
  readonly lostLines: number;
  startTask(description: TaskDescription): ProgressTask;
  /** Removes the bars that are still shown. */
  close(): void;
}

type OutputStream = NodeJS.WritableStream & { readonly isTTY?: boolean };

/**
 * Purpose of a command's log: `beside` its work, and a lost line is harmless; or its `result`, and a lost line ends it.
 */
export type LogPurpose = 'beside' | 'result';

/** Bars and short lines when `stream` is a terminal that is not dumb, outside CI, and nobody asks for JSON; else JSON lines. */
export function openConsole(
  purpose: LogPurpose,
  stream: OutputStream = process.stdout,
  environment: NodeJS.ProcessEnv = process.env,
  nowMs: () => number = () => performance.now(),
): Console {
  // A dumb terminal obeys no cursor control.
  const isTerminal =
    !jsonIsAsked() && stream.isTTY === true && !environment.CI && environment.TERM !== 'dumb';
  if (isTerminal) {
    const paint = terminalPaint(environment);
    const progress = new TerminalProgress(stream, nowMs, paint);
    const log = textLog(progress, paint);
    warnOfOverdue(log);
    return {
      log,
      isTerminal,
      // A terminal that cannot be written to has no reader.
      lostLines: 0,
      startTask: (description) => progress.start(description),
      close: () => progress.close(),
    };
  }
  const lossy = new LossyOutput(stream);
  const log = jsonLog(purpose === 'beside' ? lossy : strictOutput(stream));
  warnOfOverdue(log);
  return {
    log,
    isTerminal,
    get lostLines() {
      return lossy.lostLines;
    },
    startTask: (description) => loggedTask(description, log, nowMs),
    close: () => {},
  };
}

/** Runs `body` with the process's console, and closes it in every case. */
export async function withConsole(
  purpose: LogPurpose,
  body: (console: Console) => Promise<void>,
): Promise<void> {
  const console = openConsole(purpose);
  try {
    await body(console);
  } finally {
    console.close();
  }
}
