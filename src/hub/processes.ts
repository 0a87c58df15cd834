import { setTimeout as sleep } from 'node:timers/promises';
import { Fleet } from '../coordinator/admission/fleet.js';
import type { WorkerPool } from '../coordinator/dispatch/pool.js';
import { ExitCode, type FcaenetError } from '../errors.js';
import type { Identity } from '../identity/identity.js';
import type { WorkerPlace } from '../processes/plan.js';
import type { TrainingRun } from '../run/training-run.js';
import { makeJoinToken } from '../transport/join-token.js';
import type { RunIngredients } from '../worker/computing-run.js';
import { WorkerError } from '../worker/error.js';

/** The leadership term under which the processes work. There is one: they belong to one hub. */
export const hubTerm = 1;

/** Time for the other processes when the first is ready: all of them load the same. */
const othersMs = 15_000;

/** The first process that is ready. The others are compared with it. */
export interface FirstProcess {
  readonly identity: Identity;
  readonly device: string;
}

/** The worker processes of this machine, one for each place. */
export interface HubProcesses {
  readonly fleet: Fleet;
  readonly first: FirstProcess;
  /** Resolves with the reason when none is left. */
  readonly failure: Promise<unknown>;
}

/**
 * Starts the processes, and waits until all are ready, or one is and the others take long.
 * @throws WorkerError WORKER_DEVICES when none is left; the signal's reason when aborted
 */
export async function startProcesses(
  { run, dataset, cache, log, signal }: RunIngredients,
  places: readonly WorkerPlace[],
): Promise<HubProcesses> {
  let fail!: (reason: unknown) => void;
  const failure = new Promise<unknown>((resolve) => {
    fail = resolve;
  });
  let isReady!: (first: FirstProcess) => void;
  const ready = new Promise<FirstProcess>((resolve) => {
    isReady = resolve;
  });
  const fleet = new Fleet({
    admission: {
      run: runOfProcesses(run, dataset.root, cache, places.length),
      term: hubTerm,
      datasetFingerprint: dataset.fingerprint,
      classCount: dataset.classNames.length,
      identity: null,
      version: null,
    },
    protection: { tls: null, joinToken: makeJoinToken() },
    localWorkers: places,
    minWorkers: 1,
    log,
    onIdentity: (identity, device) => isReady({ identity, device }),
    onExhausted: (error) => fail(noneLeft(error)),
    onLeft: () =>
      fail(new WorkerError('WORKER_DEVICES', 'every process of this worker was told to leave, expected one')),
  });
  try {
    signal.throwIfAborted();
    await fleet.open();
    signal.throwIfAborted();
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    const failed = failure.then((reason) => Promise.reject(reason));
    const first = await Promise.race([ready, failed, aborted]);
    const late = sleep(othersMs, undefined, { ref: false });
    await Promise.race([allReady(fleet.pool, places.length), late, failed, aborted]);
    return { fleet, first, failure };
  } catch (error) {
    await fleet.close({ reason: 'this worker ends' });
    throw error;
  }
}

function allReady(pool: WorkerPool, count: number): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (pool.admitted().length < count) return;
      pool.off('ready', look);
      resolve();
    };
    pool.on('ready', look);
    look();
  });
}

/** The run as the processes get it: on loopback in plain text, with the data of this machine. */
function runOfProcesses(
  run: TrainingRun,
  datasetRoot: string,
  cache: RunIngredients['cache'],
  processes: number,
): TrainingRun {
  const { spec } = run;
  const operation = {
    ...spec.operation,
    listen: '127.0.0.1:0',
    tls: null,
    cache,
    exchange: 'off' as const,
    // Of a process that starts again, the earlier stream may still be there.
    membership: { ...spec.operation.membership, maxWorkers: 2 * processes },
  };
  return { ...run, spec: { ...spec, dataset: { ...spec.dataset, path: datasetRoot }, operation } };
}

function noneLeft({ message, exitCode }: FcaenetError): WorkerError {
  return new WorkerError('WORKER_DEVICES', `no process of this worker is left, expected one: ${message}`, {
    exitCode,
  });
}

/** Two processes gave different answers, and no third could decide which is wrong. */
export function contradiction(cause: unknown): WorkerError {
  return new WorkerError(
    'WORKER_DEVICES',
    'two devices of this machine gave different answers to the same work, and no third one could decide which is wrong; its log names both',
    { cause, exitCode: ExitCode.unavailable },
  );
}
