import { terminalPaint } from './colour.js';
import { jsonLog, type Log, textLog } from './log.js';
import { LossyOutput, strictOutput } from './output.js';
import { warnOfOverdue } from './overdue.js';
import { loggedTask, type ProgressTask, type TaskDescription } from './progress.js';
import { TerminalProgress } from './terminal-progress.js';

/** What a command says while it works. Errors that end it are written by the edge (run-main.ts) instead. */
export interface Console {
  readonly log: Log;
  /** Whether a person is looking: bars and short lines, else JSON lines. */
  readonly isTerminal: boolean;
  /** Lines of the log that could not be written so far. */
  readonly lostLines: number;
  startTask(description: TaskDescription): ProgressTask;
  /** Ends any bar still shown. */
  close(): void;
}

type OutputStream = NodeJS.WritableStream & { readonly isTTY?: boolean };

/**
 * What a command's log is: told beside its work, which goes on without a line that cannot be written; or what it was
 * asked for, so that such a line ends it.
 */
export type LogPurpose = 'beside' | 'result';

/** Bars and short lines when `stream` is a terminal outside CI; JSON lines otherwise. */
export function openConsole(
  purpose: LogPurpose,
  stream: OutputStream = process.stdout,
  environment: NodeJS.ProcessEnv = process.env,
  nowMs: () => number = () => performance.now(),
): Console {
  const isTerminal = stream.isTTY === true && !environment.CI;
  if (isTerminal) {
    const paint = terminalPaint(environment);
    const progress = new TerminalProgress(stream, nowMs, paint);
    const log = textLog(progress, paint);
    warnOfOverdue(log);
    return {
      log,
      isTerminal,
      // Nobody looks at a terminal that takes no more.
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

/** Runs `body` with the process's console, and closes it however the body ends. */
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
