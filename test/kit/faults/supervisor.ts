import type { CommandLine, Ending } from '../command-line.js';

/** More restarts than any schedule asks for: the run does not get ahead. */
const mostRestarts = 25;

/** Keeps one command line running, as Kubernetes would: starts it again whenever it ends with anything but 0. */
export class Supervised {
  current: CommandLine;
  restarts = 0;
  /** Why each process ended that was started again. */
  readonly endings: string[] = [];
  /** Resolves when a process ended with 0 or `stop` was called; rejects when it ends again and again. */
  readonly finished: Promise<void>;
  private stopping = false;

  constructor(private readonly start: () => CommandLine) {
    this.current = start();
    this.finished = this.watch();
    // Awaited at the end of a schedule, which may have failed before.
    this.finished.catch(() => {});
  }

  /** Kills what is running and starts nothing more. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.current.kill('SIGKILL');
    await this.finished.catch(() => {});
  }

  private async watch(): Promise<void> {
    for (;;) {
      const ending = await this.current.ended;
      if (this.stopping || ending.exitCode === 0) return;
      this.endings.push(describe(ending));
      if (this.restarts === mostRestarts) {
        throw new Error(`was started again ${mostRestarts} times: ${this.endings.slice(-3).join(' | ')}`);
      }
      this.restarts++;
      this.current = this.start();
    }
  }
}

function describe({ exitCode, signal, stderr }: Ending): string {
  return `${signal ?? exitCode} ${stderr.trim()}`;
}
