import { terminalPaint } from './colour.js';
import { jsonLog, type Log, textLog } from './log.js';
import { loggedTask, type ProgressTask, type TaskDescription } from './progress.js';
import { TerminalProgress } from './terminal-progress.js';

/** What a command says while it works. Errors that end it are written by the edge (run-main.ts) instead. */
export interface Console {
  readonly log: Log;
  /** Whether a person is looking: bars and short lines, else JSON lines. */
  readonly isTerminal: boolean;
  startTask(description: TaskDescription): ProgressTask;
  /** Ends any bar still shown. */
  close(): void;
}

type OutputStream = NodeJS.WritableStream & { readonly isTTY?: boolean };

/** Bars and short lines when `stream` is a terminal outside CI; JSON lines otherwise. */
export function openConsole(
  stream: OutputStream = process.stdout,
  environment: NodeJS.ProcessEnv = process.env,
  nowMs: () => number = () => performance.now(),
): Console {
  const isTerminal = stream.isTTY === true && !environment.CI;
  if (isTerminal) {
    const paint = terminalPaint(environment);
    const progress = new TerminalProgress(stream, nowMs, paint);
    return {
      log: textLog(progress, paint),
      isTerminal,
      startTask: (description) => progress.start(description),
      close: () => progress.close(),
    };
  }
  const log = jsonLog(stream);
  return {
    log,
    isTerminal,
    startTask: (description) => loggedTask(description, log, nowMs),
    close: () => {},
  };
}

/** Runs `body` with the process's console, and closes it however the body ends. */
export async function withConsole(body: (console: Console) => Promise<void>): Promise<void> {
  const console = openConsole();
  try {
    await body(console);
  } finally {
    console.close();
  }
}
