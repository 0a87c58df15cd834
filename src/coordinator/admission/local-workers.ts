import type { Log } from '../../console/log.js';
import { ExitCode, FcaenetError, isPermanent } from '../../errors.js';
import type { WorkerPlace } from '../../processes/plan.js';
import {
  deviceRestartMs,
  type WorkerEnding,
  WorkerProcesses,
  type WorkerStart,
} from '../../processes/worker-processes.js';
import { formatAddress } from '../../run/address.js';
import { joinTokenVariable } from '../../transport/join-token.js';
import { memoryKeyVariable } from '../../transport/shared-memory.js';
import type { TlsFiles } from '../../transport/tls-files.js';
import type { LocalWorkerMemory } from '../dispatch/local-worker-memory.js';

export interface LocalWorkersOptions {
  readonly places: readonly WorkerPlace[];
  /**
   * Null starts a worker for each place. A host makes them one worker of the run, which listens there for workers of
   * other machines.
   */
  readonly peerHost: string | null;
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

/** Long enough for a microbatch on its way. */
const graceMs = 3_000;
/** Long enough for a worker that waits so long for processes of its own. */
const hubGraceMs = 3 * graceMs;
/** Of a worker with several processes: it plans them itself. */
const anywhere: WorkerPlace = { device: null, processors: null, found: null, hidesGpus: false };

/** The worker processes that a coordinator starts on its own machine. */
export class LocalWorkers {
  private readonly processes: WorkerProcesses;
  /** Whether one process has the others below it. */
  private readonly isHub: boolean;

  constructor(private readonly options: LocalWorkersOptions) {
    const { places, peerHost, log } = options;
    this.isHub = peerHost !== null && places.length > 1;
    this.processes = new WorkerProcesses({
      places: this.isHub ? [anywhere] : places,
      startOf: (name) => this.startOf(name),
      output: 'ignore',
      restartMs: deviceRestartMs,
      log,
      onIdle: (ending) => {
        if (ending.exitCode === ExitCode.finished) options.onLeft();
        else options.onExhausted(exhausted(ending));
      },
    });
  }

  /** Processes that end from now on are expected to end. */
  expectEnd(): void {
    this.processes.expectEnd();
  }

  /** Waits until every process has ended. Kills those that still run after some seconds. */
  stop(): Promise<void> {
    return this.processes.stop(this.isHub ? hubGraceMs : graceMs);
  }

  private startOf(name: string): WorkerStart {
    const { address, peerHost, tls, joinToken, dataset, cache, sharedMemory } = this.options;
    const allocation = sharedMemory?.allocate() ?? null;
    return {
      flags: [
        ['--connect', address],
        ['--data', dataset],
        ['--cache', cache.directory],
        ['--cache-limit-bytes', String(cache.limitBytes)],
        ['--name', name],
        ...(peerHost === null ? [] : [['--peer-listen', formatAddress(peerHost, 0)]]),
        ...(this.isHub ? [['--planned']] : []),
        ...(tls
          ? [
              ['--tls-certificate', tls.certificate],
              ['--tls-key', tls.key],
              ['--tls-authority', tls.authority],
            ]
          : []),
      ].flat(),
      environment: {
        ...(joinToken === null ? {} : { [joinTokenVariable]: joinToken }),
        [memoryKeyVariable]: allocation?.key.toString('hex') ?? '',
      },
      descriptors: allocation?.descriptors ?? [],
      onEnd: () => {
        if (allocation) sharedMemory?.processEnded(allocation);
      },
    };
  }
}

function exhausted({ exitCode, how, sentence }: WorkerEnding): FcaenetError {
  const code = isPermanent(exitCode) ? (exitCode as ExitCode) : ExitCode.failed;
  return new FcaenetError('COORDINATOR_NO_WORKERS', sentence || `the last local worker ended: ${how}`, code);
}
