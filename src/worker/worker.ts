import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { lateProgress } from '../console/late-progress.js';
import type { Log } from '../console/log.js';
import { warnOfOverdue } from '../console/overdue.js';
import { loggedTask } from '../console/progress.js';
import { digestMemory } from '../data/content/digest-pictures.js';
import { type Dataset, loadDataset } from '../data/dataset.js';
import type { FcaenetError } from '../errors.js';
import { diallingOf } from '../transport/credentials.js';
import { TransportError } from '../transport/error.js';
import { leaveRoomForMessages } from '../transport/garbage.js';
import { protocolVersion } from '../transport/service.js';
import type { TlsMaterial } from '../transport/tls-files.js';
import { retryDelayMs } from './back-off.js';
import { dial } from './connection.js';
import { whyUnreachable } from './diagnosis.js';
import { WorkerError } from './error.js';
import { RunMemory } from './run-memory.js';
import { Session, type SessionEnding } from './session.js';
import type { WorkerMemory } from './shared-memory.js';
import { StreamedLog } from './streamed-log.js';

/** Longest time for one attempt; behind a cut it would otherwise take as long as TCP does to give up. */
const attemptMs = 5_000;
/** Answers of one worker that may be refused before it is of no use to the run. */
const mostDismissals = 3;

export interface WorkerOptions {
  /** Where the coordinator listens, HOST:PORT. */
  readonly connect: string;
  /** How long to try to reach it the first time. */
  readonly connectTimeoutSeconds: number;
  /** How long to try to reach it again when it is gone; 0 never tries. */
  readonly reconnectTimeoutSeconds: number;
  /** This worker's copy of the dataset. */
  readonly data: string;
  /** Folder of the decoded images; shared by the workers of a host. */
  readonly cache: { readonly directory: string; readonly limitBytes: number };
  /** Null speaks plain text. */
  readonly tls: TlsMaterial | null;
  /** What the coordinator may ask for; null where this worker was given none. */
  readonly joinToken: string | null;
  /** Memory to share with the coordinator, where that started this worker. */
  readonly shared: WorkerMemory | null;
  readonly name: string;
  readonly log: Log;
  /** Ends the worker between two microbatches. */
  readonly signal: AbortSignal;
}

/**
 * Joins a run and works for it until the run is over or the signal fires. When the coordinator is gone it looks for it
 * with growing pauses, and goes on with the engine, network and images it has.
 * @throws TransportError TRANSPORT_UNREACHABLE when no coordinator answers in time; WorkerError when it refuses this
 * worker or does not come back; and what the worker's own failure was, after telling the coordinator
 */
export async function runWorker(options: WorkerOptions): Promise<void> {
  const log = new StreamedLog(options.log);
  warnOfOverdue(log);
  const dataset = await datasetOf(options);
  if (dataset === null) return;
  leaveRoomForMessages();
  const memory = new RunMemory({ dataset, cache: options.cache, log });
  try {
    await new Worker(options, dataset.fingerprint, memory, log).run();
  } finally {
    await memory.close();
  }
}

/** Null where the worker is told to leave before it has read its pictures. */
async function datasetOf({ data, cache, log, signal }: WorkerOptions): Promise<Dataset | null> {
  const reading = lateProgress((total) =>
    loggedTask({ name: 'reading', total, unit: 'images' }, log, () => performance.now()),
  );
  try {
    return await loadDataset(data, {
      memory: digestMemory(cache.directory, log),
      signal,
      onProgress: (what, done, total) => what === 'reading' && reading(done, total),
    });
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  }
}

/** One worker process, through as many sessions as it takes. */
class Worker {
  private readonly instanceId = randomUUID();
  private sessions = 0;
  private dismissals = 0;
  /** Since the last admission. */
  private failedAttempts = 0;
  /** Why the coordinator is gone; null before the first welcome. */
  private gone: string | null = null;
  /** Why the last coordinator that was reached did not welcome this worker. */
  private unwelcome: string | null = null;
  private awaySince = performance.now();

  constructor(
    private readonly options: WorkerOptions,
    private readonly datasetFingerprint: string,
    private readonly memory: RunMemory,
    private readonly log: StreamedLog,
  ) {}

  async run(): Promise<void> {
    const { signal, reconnectTimeoutSeconds } = this.options;
    while (!signal.aborted) {
      const ending = await this.attempt();
      if (signal.aborted) return;
      // Whoever set it up wrong should not have to wait for the time limit to hear of it.
      if (ending === null && this.failedAttempts === 0) await this.explain();
      if (ending) {
        if (ending.how === 'over' || ending.how === 'left') return;
        if (ending.how === 'paused' && reconnectTimeoutSeconds === 0) return;
        if (ending.how === 'dismissed' && ++this.dismissals > mostDismissals) {
          throw new WorkerError('WORKER_REFUSED', `the coordinator refused this worker: ${ending.reason}`);
        }
        this.note(ending);
      }
      this.failedAttempts++;
      if (this.secondsLeft <= 0) throw await this.givenUp();
      const delayMs = retryDelayMs(this.failedAttempts, performance.now() - this.awaySince, Math.random());
      await sleep(Math.min(delayMs, 1000 * this.secondsLeft), undefined, { signal }).catch(() => {});
    }
  }

  /** One session; null when no coordinator was reached. */
  private async attempt(): Promise<SessionEnding | null> {
    const { connect, tls, joinToken, shared, signal, name } = this.options;
    const { memory, log } = this;
    try {
      const timeoutMs = Math.max(1, Math.min(attemptMs, 1000 * this.secondsLeft));
      const connection = await dial(connect, diallingOf(connect, tls), timeoutMs, signal);
      const hello = {
        protocolVersion,
        workerName: name,
        instanceId: this.instanceId,
        datasetFingerprint: this.datasetFingerprint,
        session: ++this.sessions,
        joinToken: joinToken ?? '',
        ...(shared && { memoryKey: shared.key }),
      };
      const onAdmitted = (kept: boolean) => this.admitted(kept);
      try {
        return await new Session({ hello, memory, shared, log, signal, onAdmitted }, connection.stream).run();
      } finally {
        connection.close();
      }
    } catch (error) {
      const unreachable = error instanceof TransportError && error.code === 'TRANSPORT_UNREACHABLE';
      if (unreachable || signal.aborted) return null;
      throw error;
    }
  }

  private admitted(kept: boolean): void {
    if (this.gone !== null) {
      const awaySeconds = (performance.now() - this.awaySince) / 1000;
      this.log.info('reconnected', { awaySeconds, attempts: this.failedAttempts, kept });
    }
    this.failedAttempts = 0;
  }

  private note({ reason, welcomed }: { readonly reason: string; readonly welcomed: boolean }): void {
    const fields = { address: this.options.connect, reason };
    if (welcomed) {
      this.gone = reason;
      this.awaySince = performance.now();
      this.log.warn('the coordinator is gone; looking for it', fields);
    } else {
      this.unwelcome = reason;
      this.log.warn('no coordinator welcomed this worker; trying again', fields);
    }
  }

  private async explain(): Promise<void> {
    const { connect, tls } = this.options;
    const reason = (await whyUnreachable(connect, tls)) ?? 'the connection failed';
    this.log.warn('no coordinator answered; trying again', { address: connect, reason });
  }

  private get secondsLeft(): number {
    const { connectTimeoutSeconds, reconnectTimeoutSeconds } = this.options;
    const limit = this.gone === null ? connectTimeoutSeconds : reconnectTimeoutSeconds;
    return limit - (performance.now() - this.awaySince) / 1000;
  }

  private async givenUp(): Promise<FcaenetError> {
    const { connect, tls, connectTimeoutSeconds, reconnectTimeoutSeconds } = this.options;
    if (this.gone === null) {
      const reason = (await whyUnreachable(connect, tls)) ?? this.unwelcome;
      return new TransportError(
        'TRANSPORT_UNREACHABLE',
        `no coordinator answered at ${connect} within ${connectTimeoutSeconds} s${reason === null ? '' : `: ${reason}`}`,
      );
    }
    const wait =
      reconnectTimeoutSeconds > 0 ? ` and did not come back within ${reconnectTimeoutSeconds} s` : '';
    return new WorkerError(
      'WORKER_LOST_COORDINATOR',
      `the coordinator at ${connect} is gone (${this.gone})${wait}`,
    );
  }
}
