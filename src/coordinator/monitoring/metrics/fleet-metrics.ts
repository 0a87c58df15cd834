import type { Traffic } from '../../../transport/service.js';
import {
  type CoordinatorPath,
  coordinatorPaths,
  dataPaths,
  type TrafficByPath,
} from '../../dispatch/data-path.js';
import { gradientUnits } from '../../dispatch/gradient-work.js';
import { faults, rejectionReasons } from '../../dispatch/pool.js';
import type { WorkerTally } from '../../dispatch/worker-tally.js';
import type { CoordinatorEvent } from '../coordinator-event.js';
import type { Instruments } from './instruments.js';

/** Figures of all workers together, read at every scrape. */
export interface FleetSources {
  /** Bytes so far, by the path that they took. */
  traffic(): TrafficByPath;
  /** How tensors travel between the coordinator and each worker that may get work. */
  paths(): readonly CoordinatorPath[];
  /** Workers by state. */
  workers(): Readonly<Record<string, number>>;
  /** Answers so far of all workers, including those that left. */
  answers(): Pick<WorkerTally, 'microbatches' | 'computeSeconds' | 'imageWaitSeconds'>;
  /** Refused connections, by reason. */
  refusedConnections(): Readonly<Record<string, number>>;
  /** Log lines of workers that could not be written so far. */
  droppedWorkerLogLines(): number;
  /** Unix time in milliseconds since which there are too few workers; null while there are enough. */
  waitingSince(): number | null;
  readonly minWorkers: number;
  /** Number of workers above the number of microbatches of a step. */
  spareWorkers(): number;
}

/** Metrics of all workers together: their number, and late, wrong or lost work. */
export class FleetMetrics {
  private readonly refused;
  private readonly redispatched;
  private readonly overdue;
  private readonly compared;
  private readonly setAside;
  private readonly exchanging;
  private readonly exchangesGivenUp;
  private readonly unreachableWorkers;
  private readonly unreachablePeers;

  constructor(instruments: Instruments, sources: FleetSources) {
    instruments.gaugeOf('fcaenet_workers', 'Workers, by state.', ['state'], (gauge) => {
      for (const [state, count] of Object.entries(sources.workers())) gauge.set({ state }, count);
    });
    instruments
      .gauge('fcaenet_min_workers', 'Workers without whom no work is handed out.')
      .set(sources.minWorkers);
    instruments.gaugeOf('fcaenet_spare_workers', 'Workers beyond the microbatches of a step.', [], (gauge) =>
      gauge.set(sources.spareWorkers()),
    );
    instruments.gaugeOf(
      'fcaenet_waiting_since_seconds',
      'Unix time since when too few workers are there; 0 while there are enough.',
      [],
      (gauge) => gauge.set((sources.waitingSince() ?? 0) / 1000),
    );
    const bytes = (name: string, help: string, direction: keyof Traffic) =>
      instruments.counterOf(name, help, ['path'], (counter) => {
        const traffic = sources.traffic();
        for (const path of dataPaths) counter.inc({ path }, traffic[path][direction]);
      });
    bytes(
      'fcaenet_bytes_sent_total',
      'Bytes sent to workers, and among workers as they say, by path.',
      'sentBytes',
    );
    bytes(
      'fcaenet_bytes_received_total',
      'Bytes received from workers, and among workers as they say, by path.',
      'receivedBytes',
    );
    instruments.gaugeOf(
      'fcaenet_path_workers',
      'Workers by the path of their tensors.',
      ['path'],
      (gauge) => {
        const paths = sources.paths();
        for (const path of coordinatorPaths)
          gauge.set({ path }, paths.filter((each) => each === path).length);
      },
    );
    instruments.counterOf(
      'fcaenet_microbatches_total',
      'Microbatches answered by workers, also those computed more than once.',
      [],
      (counter) => counter.inc(sources.answers().microbatches),
    );
    instruments.counterOf(
      'fcaenet_compute_seconds_total',
      'Time that workers say they computed microbatches, all of them together.',
      [],
      (counter) => counter.inc(sources.answers().computeSeconds),
    );
    instruments.counterOf(
      'fcaenet_image_wait_seconds_total',
      'Time that workers say they waited for the images of microbatches, all of them together.',
      [],
      (counter) => counter.inc(sources.answers().imageWaitSeconds),
    );
    instruments.counterOf(
      'fcaenet_refused_connections_total',
      'Connections that were not let in, by reason.',
      ['reason'],
      (counter) => {
        for (const [reason, count] of Object.entries(sources.refusedConnections())) {
          counter.inc({ reason }, count);
        }
      },
    );
    instruments.counterOf(
      'fcaenet_worker_log_lines_dropped_total',
      'Lines of worker logs left out of the coordinator’s log to bound their rate.',
      [],
      (counter) => counter.inc(sources.droppedWorkerLogLines()),
    );
    this.refused = instruments.counter(
      'fcaenet_gradient_refused_total',
      'Gradients refused, by reason.',
      'reason',
      rejectionReasons,
    );
    this.redispatched = instruments.counter(
      'fcaenet_redispatched_microbatches_total',
      'Microbatches handed out again because their worker left.',
    );
    this.overdue = instruments.counter(
      'fcaenet_overdue_microbatches_total',
      'Microbatches not answered in time, which others computed too.',
    );
    this.compared = instruments.counter(
      'fcaenet_compared_microbatches_total',
      'Microbatches computed by more than one worker, by what the comparison gave.',
      'outcome',
      ['agreed', 'contradiction'],
    );
    this.exchanging = instruments.gauge(
      'fcaenet_exchange_workers',
      'Workers that exchange gradients among themselves; 0 where they send them to the coordinator.',
    );
    this.exchangesGivenUp = instruments.counter(
      'fcaenet_exchanges_given_up_total',
      'Steps computed again because the exchange of their gradients failed.',
    );
    this.unreachableWorkers = instruments.counter(
      'fcaenet_unreachable_workers_total',
      'Times that the coordinator could not reach a worker; its ranges go over its own connection.',
    );
    this.unreachablePeers = instruments.counter(
      'fcaenet_unreachable_peers_total',
      'Pairs of workers that could not connect, by direction; what they exchange goes through the coordinator.',
    );
    this.setAside = instruments.counter(
      'fcaenet_workers_set_aside_total',
      'Workers set aside for the rest of the run, by fault.',
      'fault',
      faults,
    );
  }

  take(event: CoordinatorEvent): void {
    switch (event.type) {
      case 'exchange.used':
        this.exchanging.set(event.members);
        break;
      case 'exchange.given-up':
        this.exchangesGivenUp.inc();
        break;
      case 'worker.unreachable':
        this.unreachableWorkers.inc();
        break;
      case 'peer.unreachable':
        this.unreachablePeers.inc();
        break;
      case 'answer.rejected':
        this.refused.inc({ reason: event.reason });
        break;
      case 'worker.set-aside':
        this.setAside.inc({ fault: event.fault });
        break;
      case 'work.compared':
        this.compared.inc({ outcome: event.outcome });
        break;
      // Encode batches are not counted separately.
      case 'work.redispatched':
        if (event.work === gradientUnits) this.redispatched.inc(event.units);
        break;
      case 'work.overdue':
        if (event.work === gradientUnits) this.overdue.inc(event.units);
        break;
    }
  }
}
