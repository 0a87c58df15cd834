import { setTimeout as sleep } from 'node:timers/promises';
import { onInterrupt } from '../../console/interrupt.js';
import type { Log } from '../../console/log.js';
import { parseAddress } from '../../run/address.js';
import type { TrainingRun } from '../../run/training-run.js';
import type { Finish } from '../../transport/generated/fcaenet/v1/Finish.js';
import { WorkerPool } from '../dispatch/pool.js';
import type { Protection } from './protection.js';
import { CoordinatorServer } from './server.js';

export interface FarewellOptions {
  readonly run: TrainingRun;
  readonly protection: Protection;
  /** The term under which this process led the run; 0 when it never led. */
  readonly term: number;
  readonly finish: Finish;
  readonly seconds: number;
  readonly log: Log;
}

/**
 * Tells late workers how the run ended: those that were disconnected, and those that start now. Otherwise they would
 * retry until their time limit. Ends early at Ctrl-C or SIGTERM. When another process has taken the port, that process
 * answers them.
 */
export async function tellLateWorkers(options: FarewellOptions): Promise<void> {
  const { run, protection, term, finish, seconds, log } = options;
  const { listen } = run.spec.operation;
  // Late workers cannot know a port that the system chose.
  if (seconds === 0 || parseAddress(listen)?.port === 0) return;
  const admission = { run, term, datasetFingerprint: '', classCount: 0, identity: null, version: null };
  const pool = new WorkerPool();
  const server = new CoordinatorServer({ admission, pool, log, onIdentity: () => {}, protection });
  server.tellOf(finish);
  const interrupted = new AbortController();
  const restoreSignals = onInterrupt(() => interrupted.abort());
  try {
    const address = await server.listen(listen);
    log.info('the run is over; telling workers that still try to connect', { address, seconds, ...finish });
    await sleep(1000 * seconds, undefined, { signal: interrupted.signal }).catch(() => {});
    await server.close(finish);
  } catch (error) {
    log.warn('cannot tell workers that the run is over', { reason: (error as Error).message });
  } finally {
    restoreSignals();
  }
}
