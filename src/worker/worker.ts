import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { lateProgress } from '../console/late-progress.js';
import type { Log } from '../console/log.js';
import { warnOfOverdue } from '../console/overdue.js';
import { loggedTask } from '../console/progress.js';
import { digestMemory } from '../data/content/digest-pictures.js';
import { type Dataset, loadDataset } from '../data/dataset.js';
import type { FcaenetError } from '../errors.js';
import { collectGarbageLessOften } from '../machine/garbage-collection.js';
import { announceExpiry } from '../transport/certificate-expiry.js';
import { diallingOf } from '../transport/credentials.js';
import { TransportError } from '../transport/error.js';
import { closeLostConnections } from '../transport/lost-connections.js';
import { protocolVersion } from '../transport/service.js';
import type { TlsMaterial } from '../transport/tls-files.js';
import { retryDelayMs } from './back-off.js';
import type { PrepareRun } from './computing-run.js';
import { dial } from './connection.js';
import { whyUnreachable } from './diagnosis.js';
import { WorkerError } from './error.js';
import type { PeeringSettings } from './peering-place.js';
import { Session, type SessionEnding } from './session.js';
import type { WorkerMemory } from './shared-memory.js';
import { StreamedLog } from './streamed-log.js';
import { WorkerCache } from './worker-cache.js';

/** Time limit of one attempt. Without it a cut network would take as long as TCP's own timeout. */
const attemptMs = 5_000;
/** How often the reason of repeated connection failures is examined again. */
const lookEveryMs = 10_000;
/** Number of rejected answers after which a worker leaves the run. */
const mostRejectedAnswers = 3;

const noAnswer = 'no coordinator answered; retrying';
const noWelcome = 'no coordinator accepted this worker; retrying';

export interface WorkerOptions {
  /** Where the coordinator listens, HOST:PORT. */
  readonly connect: string;
  /** HTTP proxy on the way to it, HOST:PORT; null connects directly, whatever the environment says. */
  readonly proxy: string | null;
  /** Time limit to reach it for the first time. */
  readonly connectTimeoutSeconds: number;
  /** Time limit to reach it again after it is gone; 0 does not try. */
  readonly reconnectTimeoutSeconds: number;
  /** This worker's copy of the dataset. */
  readonly data: string;
  /** Folder of the decoded images, shared by the workers of a host. */
  readonly cache: { readonly directory: string; readonly limitBytes: number };
  /** Null means plain text. */
  readonly tls: TlsMaterial | null;
  /** Null when this worker has none. */
  readonly joinToken: string | null;
  /** Memory shared with the coordinator, if the coordinator started this worker. */
  readonly shared: WorkerMemory | null;
  /** Where it listens for other workers. */
  readonly peering: PeeringSettings;
  readonly name: string;
  /** What computes. */
  readonly prepareRun: PrepareRun;
  readonly log: Log;
  /** Stops the worker between two microbatches. */
  readonly signal: AbortSignal;
}

/**
 * Joins a run and works for it until the run is over or the signal fires. When the coordinator is gone, the worker
 * reconnects at increasing intervals, and keeps its engine, network and images.
 * @throws TransportError TRANSPORT_UNREACHABLE when no coordinator answers in time; WorkerError when the coordinator
 * refuses this worker or does not come back; the worker's own failure, after reporting it to the coordinator
 */
export async function runWorker(options: WorkerOptions): Promise<void> {
  const log = new StreamedLog(options.log);
  warnOfOverdue(log);
  const dataset = await datasetOf(options);
  if (dataset === null) return;
  collectGarbageLessOften();
  const { cache, prepareRun, signal } = options;
  const workerCache = new WorkerCache({ dataset, cache, prepareRun, log, signal });
  const stopClosingLost = closeLostConnections();
  const endAnnouncements = announceExpiry(options.tls === null ? [] : [options.tls.expiry], log);
  try {
    await new Worker(options, dataset.fingerprint, workerCache, log).run();
  } finally {
    endAnnouncements();
    stopClosingLost();
    await workerCache.close();
  }
}

/** Null when the worker is stopped before it has read its pictures. */
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

/** No coordinator was reached, and the symptom. */
interface Unreached {
  readonly how: 'unreached';
  readonly sign: string;
}

/** One worker process and its sessions. */
class Worker {
  private readonly instanceId = randomUUID();
  private sessions = 0;
  private rejectedAnswers = 0;
  /** Failed attempts since the last admission. */
  private failedAttempts = 0;
  /** Why the coordinator is gone; null before the first welcome. */
  private gone: string | null = null;
  /** Why the last coordinator that was reached did not send a welcome. */
  private unwelcome: string | null = null;
  /** The symptom of the last failed attempt, when its reason was examined, and the reason. Null after a welcome. */
  private failure: { readonly sign: string; readonly lookedAtMs: number; readonly reason: string } | null =
    null;
  private awaySince = performance.now();

  constructor(
    private readonly options: WorkerOptions,
    private readonly datasetFingerprint: string,
    private readonly workerCache: WorkerCache,
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
          throw new WorkerError('WORKER_RUN_FAILED', `the run has failed permanently: ${ending.reason}`);
        }
        if (ending.how === 'paused' && reconnectTimeoutSeconds === 0) return;
        if (ending.how === 'rejected' && ++this.rejectedAnswers > mostRejectedAnswers) {
          const message = `the coordinator rejected ${this.rejectedAnswers} answers of this worker; the last reason: ${ending.reason}`;
          throw new WorkerError('WORKER_REFUSED', message);
        }
        await this.note(ending);
      }
      this.failedAttempts++;
      if (this.secondsLeft <= 0) throw await this.givenUp();
      const delayMs = retryDelayMs(this.failedAttempts, performance.now() - this.awaySince, Math.random());
      await sleep(Math.min(delayMs, 1000 * this.secondsLeft), undefined, { signal }).catch(() => {});
    }
  }

  /** One session, if a coordinator can be reached. */
  private async attempt(): Promise<SessionEnding | Unreached> {
    const { connect, proxy, tls, joinToken, shared, signal, name, peering } = this.options;
    const { workerCache, log } = this;
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
        const { localAddress } = connection;
        const exchange = { ...peering, tls, localAddress, isProxied: proxy !== null };
        return await new Session(
          { hello, workerCache, shared, exchange, log, signal, onAdmitted },
          connection.stream,
        ).run();
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
      this.log.warn('the coordinator is gone; reconnecting', { address: this.options.connect, reason });
    } else {
      this.unwelcome = reason;
      await this.explain(reason, reason, noWelcome);
    }
  }

  /**
   * Logs why no coordinator can be reached, immediately and whenever the reason changes. Reports a wrong configuration
   * before the time limit ends.
   * @param sign the symptom
   * @param otherwise the reason when the examination finds none
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
