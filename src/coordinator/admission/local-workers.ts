import { type ChildProcess, fork } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Log } from '../../console/log.js';
import { ExitCode, FcaenetError, isPermanent } from '../../errors.js';
import { heapArguments } from '../../machine/heap.js';
import { joinTokenVariable } from '../../transport/join-token.js';
import { memoryKeyVariable } from '../../transport/shared-memory.js';
import type { TlsFiles } from '../../transport/tls-files.js';
import type { LocalWorkerMemory } from '../dispatch/local-worker-memory.js';

/** How often a killed process is restarted, for each worker place. */
const restartsPerPlace = 3;

/**
 * OpenMP settings for processes that share the machine's processors. Without them, waiting threads spin and take
 * processor time from the other processes, and thread binding starts at the first processor in every process.
 */
export const sharedProcessors = { OMP_WAIT_POLICY: 'PASSIVE', OMP_PROC_BIND: 'FALSE' } as const;

/** How a worker process ended. */
interface Ending {
  readonly exitCode: number | null;
  /** Its last line on stderr, without the program's name. */
  readonly sentence: string;
}

export interface LocalWorkersOptions {
  readonly count: number;
  /** Address of the coordinator. */
  readonly address: string;
  /** The coordinator's own files, which its workers use as well; null for plain text. */
  readonly tls: TlsFiles | null;
  /** Null when the run has no join token. */
  readonly joinToken: string | null;
  readonly dataset: string;
  readonly cache: { readonly directory: string; readonly limitBytes: number };
  /** Memory shared with the workers; null when the machine has none. */
  readonly sharedMemory: LocalWorkerMemory | null;
  readonly log: Log;
  /** Called once, when no process is left and none will be restarted. */
  readonly onExhausted: (error: FcaenetError) => void;
  /** Called when the last process has left as it was told to. */
  readonly onLeft: () => void;
}

/**
 * Worker processes on this machine, each with its own command line. A killed process is restarted a few times. A
 * process that ends with a permanent failure is not restarted.
 */
export class LocalWorkers {
  private readonly processes = new Set<ChildProcess>();
  private stopping = false;

  constructor(private readonly options: LocalWorkersOptions) {
    for (let place = 0; place < options.count; place++) this.start(place, restartsPerPlace);
  }

  /** Processes that end from now on are expected to end. */
  expectEnd(): void {
    this.stopping = true;
  }

  /** Waits until every process has ended. Kills those that still run after `graceMs` with SIGKILL. */
  async stop(graceMs = 3_000): Promise<void> {
    this.expectEnd();
    const ended = Promise.all(
      [...this.processes].map((child) => new Promise((resolve) => child.once('exit', resolve))),
    );
    const force = setTimeout(() => {
      for (const child of this.processes) child.kill('SIGKILL');
    }, graceMs);
    for (const child of this.processes) if (child.connected) child.disconnect();
    await ended;
    clearTimeout(force);
  }

  private start(place: number, restartsLeft: number): void {
    const { address, tls, joinToken, dataset, cache, sharedMemory, log } = this.options;
    const allocation = sharedMemory?.allocate() ?? null;
    const program = fileURLToPath(new URL('../../cli.js', import.meta.url));
    const flags = [
      ['--connect', address],
      ['--data', dataset],
      ['--cache', cache.directory],
      ['--cache-limit-bytes', String(cache.limitBytes)],
      ['--name', `local-${place}`],
      ...(tls
        ? [
            ['--tls-certificate', tls.certificate],
            ['--tls-key', tls.key],
            ['--tls-authority', tls.authority],
          ]
        : []),
    ].flat();
    // The IPC channel tells the worker that its parent is alive: the worker leaves when the channel closes. The process
    // group of its own keeps the terminal's Ctrl-C away from it, because the coordinator decides when it stops.
    const child = fork(program, ['worker', ...flags], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc', ...(allocation?.descriptors ?? [])],
      detached: true,
      execArgv: [...process.execArgv, ...heapArguments()],
      env: {
        ...process.env,
        ...sharedProcessors,
        ...(joinToken === null ? {} : { [joinTokenVariable]: joinToken }),
        [memoryKeyVariable]: allocation?.key.toString('hex') ?? '',
      },
    });
    this.processes.add(child);
    let sentence = '';
    createInterface({ input: child.stderr! }).on('line', (line) => {
      sentence = line.replace(/^fcaenet: /, '');
    });
    child.once('exit', (exitCode, signal) => {
      this.processes.delete(child);
      if (allocation) sharedMemory?.processEnded(allocation);
      if (this.stopping) return;
      if (exitCode === 0) {
        if (this.processes.size === 0) this.options.onLeft();
        return;
      }
      const how = signal ? `killed by ${signal}` : `exit code ${exitCode}`;
      log.warn('local worker ended', { place, how, sentence });
      if (restartsLeft > 0 && !isPermanent(exitCode)) this.start(place, restartsLeft - 1);
      else if (this.processes.size === 0) this.exhausted({ exitCode, sentence: sentence || how });
    });
  }

  private exhausted({ exitCode, sentence }: Ending): void {
    const code = exitCode !== null && isPermanent(exitCode) ? (exitCode as ExitCode) : ExitCode.failed;
    this.options.onExhausted(new FcaenetError('COORDINATOR_NO_WORKERS', sentence, code));
  }
}
