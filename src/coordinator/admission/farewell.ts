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
  /** The term under which this process led the run; 0 where it did not come to that. */
  readonly term: number;
  readonly finish: Finish;
  readonly seconds: number;
  readonly log: Log;
}

/**
 * Tells workers that still look for a run how it ended: those that were away then, and those that start only now. They
 * would look on until their time limit. Ends early at Ctrl-C or SIGTERM. Where the port is taken by now, whoever has it
 * answers them.
 */
export async function tellLateWorkers(options: FarewellOptions): Promise<void> {
  const { run, protection, term, finish, seconds, log } = options;
  const { listen } = run.spec.operation;
  // Nobody knows a port that was drawn anew.
  if (seconds === 0 || parseAddress(listen)?.port === 0) return;
  const admission = { run, term, datasetFingerprint: '', classCount: 0, identity: null, version: null };
  const pool = new WorkerPool();
  const server = new CoordinatorServer({ admission, pool, log, onIdentity: () => {}, protection });
  server.tellOf(finish);
  const interrupted = new AbortController();
  const restoreSignals = onInterrupt(() => interrupted.abort());
  try {
    const address = await server.listen(listen);
    log.info('the run is over; telling workers that still look for it', { address, seconds, ...finish });
    await sleep(1000 * seconds, undefined, { signal: interrupted.signal }).catch(() => {});
    await server.close(finish);
  } catch (error) {
    log.warn('no worker can be told that the run is over', { reason: (error as Error).message });
  } finally {
    restoreSignals();
  }
}
