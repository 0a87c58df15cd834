import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

/** A test that fails in the middle leaves processes behind; none outlives the test process. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** One JSON line of the log. */
export type LogLine = { message: string } & Record<string, unknown>;

export interface Ending {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

/** The real command line as a process of its own, seen through its log. */
export class CommandLine {
  readonly lines: LogLine[] = [];
  readonly ended: Promise<Ending>;
  private readonly process: ChildProcess;
  private stderr = '';
  stdout = '';
  private readonly listeners = new Set<(line: LogLine) => void>();

  /** @param options.within a command that runs the rest of its arguments, such as `ip netns exec NAME` */
  constructor(
    args: readonly string[],
    options: { cwd: string; env?: NodeJS.ProcessEnv; within?: readonly string[] },
  ) {
    const [command, ...rest] = [...(options.within ?? []), process.execPath, program, ...args];
    const child = spawn(command!, rest, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.process = child;
    child.stdout.on('data', (data: Buffer) => {
      this.stdout += data.toString();
    });
    createInterface({ input: child.stdout }).on('line', (text) => {
      if (!text.startsWith('{')) return;
      const line = JSON.parse(text) as LogLine;
      this.lines.push(line);
      for (const listener of this.listeners) listener(line);
    });
    child.stderr.on('data', (data: Buffer) => {
      this.stderr += data.toString();
    });
    this.ended = new Promise((resolve) => {
      child.once('close', (exitCode, signal) => resolve({ exitCode, signal, stderr: this.stderr }));
    });
    running.add(child);
    child.once('close', () => running.delete(child));
  }

  get pid(): number {
    return this.process.pid!;
  }

  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  /** Calls `listener` with every log line from now on. */
  onLine(listener: (line: LogLine) => void): void {
    this.listeners.add(listener);
  }

  /** The first log line with this message, past or to come; rejects when the process ends before it. */
  async line(message: string, matches: (line: LogLine) => boolean = () => true): Promise<LogLine> {
    const wanted = (line: LogLine) => line.message === message && matches(line);
    const seen = this.lines.find(wanted);
    if (seen) return seen;
    return new Promise((resolve, reject) => {
      const listener = (line: LogLine) => {
        if (!wanted(line)) return;
        this.listeners.delete(listener);
        resolve(line);
      };
      this.listeners.add(listener);
      void this.ended.then(({ exitCode, stderr }) =>
        reject(new Error(`ended with ${exitCode} before '${message}': ${stderr}`)),
      );
    });
  }
}

/** Runs the command line to its end. */
export async function runCommandLine(
  args: readonly string[],
  options: { cwd: string; env?: NodeJS.ProcessEnv; within?: readonly string[] },
): Promise<Ending & { lines: LogLine[]; stdout: string }> {
  const command = new CommandLine(args, options);
  return { ...(await command.ended), lines: command.lines, stdout: command.stdout };
}
