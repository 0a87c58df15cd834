import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { lateProgress } from '../console/late-progress.js';
import type { Log } from '../console/log.js';
import { warnOfOverdue } from '../console/overdue.js';
import { loggedTask } from '../console/progress.js';
import { digestMemory } from '../data/content/digest-pictures.js';
import { type Dataset, loadDataset } from '../data/dataset.js';
import type { FcaenetError } from '../errors.js';
import { leaveRoomForMessages } from '../machine/garbage.js';
import { announceExpiry } from '../transport/certificate-expiry.js';
import { diallingOf } from '../transport/credentials.js';
import { TransportError } from '../transport/error.js';
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
/** How often it is looked whether a connection that goes on to fail in one way fails for another reason by now. */
const lookEveryMs = 10_000;
/** Answers of one worker that may be refused before it is of no use to the run. */
const mostDismissals = 3;

const noAnswer = 'no coordinator answered; trying again';
const noWelcome = 'no coordinator welcomed this worker; trying again';

export interface WorkerOptions {
  /** Where the coordinator listens, HOST:PORT. */
  readonly connect: string;
  /** HTTP proxy to reach it through, HOST:PORT; null dials it directly, whatever the environment says. */
  readonly proxy: string | null;
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
  const endAnnouncements = announceExpiry(options.tls === null ? [] : [options.tls.expiry], log);
  try {
    await new Worker(options, dataset.fingerprint, memory, log).run();
  } finally {
    endAnnouncements();
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

/** That no coordinator was reached, and how that showed. */
interface Unreached {
  readonly how: 'unreached';
  readonly sign: string;
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
  /** How the last failed attempt showed, and when it was looked why; what was said of it. All of it until a welcome. */
  private failure: { readonly sign: string; readonly lookedAtMs: number; readonly reason: string } | null =
    null;
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
      if (ending.how === 'unreached') await this.explain(ending.sign, 'the connection failed', noAnswer);
      else {
        if (ending.how === 'over' || ending.how === 'left') return;
        if (ending.how === 'failed') {
          throw new WorkerError('WORKER_RUN_FAILED', `the run has failed for good: ${ending.reason}`);
        }
        if (ending.how === 'paused' && reconnectTimeoutSeconds === 0) return;
        if (ending.how === 'dismissed' && ++this.dismissals > mostDismissals) {
          throw new WorkerError('WORKER_REFUSED', `the coordinator refused this worker: ${ending.reason}`);
        }
        await this.note(ending);
      }
      this.failedAttempts++;
      if (this.secondsLeft <= 0) throw await this.givenUp();
      const delayMs = retryDelayMs(this.failedAttempts, performance.now() - this.awaySince, Math.random());
      await sleep(Math.min(delayMs, 1000 * this.secondsLeft), undefined, { signal }).catch(() => {});
    }
  }

  /** One session, if a coordinator is reached. */
  private async attempt(): Promise<SessionEnding | Unreached> {
    const { connect, proxy, tls, joinToken, shared, signal, name } = this.options;
    const { memory, log } = this;
    try {
      const timeoutMs = Math.max(1, Math.min(attemptMs, 1000 * this.secondsLeft));
      const connection = await dial(diallingOf(connect, tls, proxy), timeoutMs, signal);
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
      if (signal.aborted) return { how: 'left' };
      const unreachable = error instanceof TransportError && error.code === 'TRANSPORT_UNREACHABLE';
      if (unreachable) return { how: 'unreached', sign: error.message };
      throw error;
    }
  }

  private admitted(kept: boolean): void {
    if (this.gone !== null) {
      const awaySeconds = (performance.now() - this.awaySince) / 1000;
      this.log.info('reconnected', { awaySeconds, attempts: this.failedAttempts, kept });
    }
    this.failedAttempts = 0;
    this.unwelcome = null;
    this.failure = null;
  }

  private async note({
    reason,
    welcomed,
  }: {
    readonly reason: string;
    readonly welcomed: boolean;
  }): Promise<void> {
    if (welcomed) {
      this.gone = reason;
      this.awaySince = performance.now();
      this.unwelcome = null;
      this.failure = null;
      this.log.warn('the coordinator is gone; looking for it', { address: this.options.connect, reason });
    } else {
      this.unwelcome = reason;
      await this.explain(reason, reason, noWelcome);
    }
  }

  /**
   * Says why no coordinator is there, at once and whenever that has changed: whoever set it up wrong should not have to
   * wait for the time limit to hear of it.
   * @param sign how it showed
   * @param otherwise the reason, where a look finds none
   */
  private async explain(sign: string, otherwise: string, message: string): Promise<void> {
    const { failure } = this;
    if (failure?.sign === sign && performance.now() - failure.lookedAtMs < lookEveryMs) return;
    const reason = (await this.look()) ?? otherwise;
    this.failure = { sign, lookedAtMs: performance.now(), reason };
    if (reason !== failure?.reason) this.log.warn(message, { address: this.options.connect, reason });
  }

  private look(): Promise<string | null> {
    const { connect, tls, proxy } = this.options;
    return whyUnreachable(connect, tls, proxy);
  }

  private get secondsLeft(): number {
    const { connectTimeoutSeconds, reconnectTimeoutSeconds } = this.options;
    const limit = this.gone === null ? connectTimeoutSeconds : reconnectTimeoutSeconds;
    return limit - (performance.now() - this.awaySince) / 1000;
  }

  private async givenUp(): Promise<FcaenetError> {
    const { connect, connectTimeoutSeconds, reconnectTimeoutSeconds } = this.options;
    const gone = `the coordinator at ${connect} is gone (${this.gone})`;
    if (this.gone !== null && reconnectTimeoutSeconds === 0) {
      return new WorkerError('WORKER_LOST_COORDINATOR', gone);
    }
    const reason = (await this.look()) ?? this.unwelcome;
    const why = reason === null ? '' : `: ${reason}`;
    if (this.gone === null) {
      return new TransportError(
        'TRANSPORT_UNREACHABLE',
        `no coordinator answered at ${connect} within ${connectTimeoutSeconds} s${why}`,
      );
    }
    return new WorkerError(
      'WORKER_LOST_COORDINATOR',
      `${gone} and did not come back within ${reconnectTimeoutSeconds} s${why}`,
    );
  }
}
