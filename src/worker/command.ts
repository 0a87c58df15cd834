import { hostname } from 'node:os';
import { openConsole } from '../console/console.js';
import { onInterrupt } from '../console/interrupt.js';
import type { Log } from '../console/log.js';
import { requireAddressSpace, workerAddressSpace } from '../machine/address-space.js';
import { readJoinToken } from '../transport/join-token.js';
import { readTlsFiles, type TlsFiles } from '../transport/tls-files.js';
import type { PrepareRun } from './computing-run.js';
import { WorkerError } from './error.js';
import { WorkerRun } from './run.js';
import { inheritedMemory } from './shared-memory.js';
import { runWorker, type WorkerOptions } from './worker.js';

/** What the command line says; the rest of the worker's options is read when it starts. */
export type WorkOptions = Omit<
  WorkerOptions,
  'name' | 'tls' | 'joinToken' | 'shared' | 'prepareRun' | 'log' | 'signal'
> & {
  /** Undefined speaks plain text. */
  readonly tls: TlsFiles | undefined;
  /** Undefined reads the token from the environment, if it is set. */
  readonly joinTokenFile: string | undefined;
  /** Undefined uses host name and process id. */
  readonly name: string | undefined;
  /** Whether who starts this worker starts it again unless it says that the run is over. */
  readonly expectRestart: boolean;
  /** Whether this worker computes on the processors although there may be GPUs. */
  readonly hidesGpus: boolean;
};

/**
 * `fcaenet worker`: works until the run is over. On Ctrl-C, SIGTERM, SIGHUP or the end of its parent process the worker
 * leaves the run with exit code 0, after its current microbatch at the latest. Other workers get its unanswered work.
 * Throws the errors of `runWorker`, and MachineError MACHINE_ADDRESS_SPACE.
 * @param prepareRun what computes; by default this process
 * @throws WorkerError WORKER_LEFT (exit code 75) instead of exit code 0, when its parent expects to restart it
 */
export async function work(
  options: WorkOptions,
  prepareRun: PrepareRun = WorkerRun.prepare,
  log: Log = openConsole('beside').log,
): Promise<void> {
  requireAddressSpace(workerAddressSpace, 'a worker');
  // Engines look for GPUs, and CUDA reads the environment, when the run is known.
  if (options.hidesGpus) process.env.CUDA_VISIBLE_DEVICES = '-1';
  const leave = new AbortController();
  const restoreSignals = onInterrupt(() => leave.abort());
  const orphaned = () => leave.abort();
  process.once('disconnect', orphaned);
  try {
    await runWorker({
      ...options,
      tls: options.tls ? readTlsFiles(options.tls) : null,
      joinToken: readJoinToken(options.joinTokenFile ?? null, process.env),
      shared: inheritedMemory(process.env),
      name: options.name ?? `${hostname()}:${process.pid}`,
      prepareRun,
      log,
      signal: leave.signal,
    });
    if (options.expectRestart && leave.signal.aborted) {
      throw new WorkerError(
        'WORKER_LEFT',
        'this worker was told to leave before the run was over; another one may take its place',
      );
    }
  } finally {
    process.off('disconnect', orphaned);
    restoreSignals();
    // The channel to the parent would keep a finished worker alive.
    if (process.connected) process.disconnect();
  }
}
