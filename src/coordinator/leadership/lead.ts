import type { Clock } from '../../clock.js';
import type { Log } from '../../console/log.js';
import type { FcaenetError } from '../../errors.js';
import type { RunDirectory } from '../../run/run-directory.js';
import type { TrainingRun } from '../../run/training-run.js';
import type { NatsLink } from '../../transport/events/nats-link.js';
import { EventReporter } from './event-reporter.js';
import { Leadership } from './leadership.js';

/** What a coordinator has while it leads a run. */
export interface Leading {
  readonly leadership: Leadership;
  readonly events: EventReporter;
  /** Null when no NATS server is configured. */
  readonly link: NatsLink | null;
}

/**
 * Leads a run while `body` runs: takes its lease, publishes its events, and releases the lease.
 * @param options.onDeposed called once, when another coordinator has taken over the run
 * @throws TransportError TRANSPORT_NATS_SETTINGS, TRANSPORT_NATS_LEASE_HELD, and the errors of `body`
 */
export async function lead<Value>(
  options: {
    readonly run: TrainingRun;
    readonly directory: RunDirectory;
    readonly log: Log;
    readonly clock: Clock;
    readonly onDeposed: (error: FcaenetError) => void;
  },
  body: (leading: Leading) => Promise<Value>,
): Promise<Value> {
  const { directory, log, clock, onDeposed } = options;
  const { nats, lease } = options.run.spec.operation;
  const run = options.run.metadata.name;
  const client = nats.url === null ? null : await natsClient();
  const link = client && new client.NatsLink(nats, `fcaenet coordinator of ${run}`, log);
  try {
    const natsLease = client && link && new client.NatsLease(link, run, lease.seconds);
    const leaseSeconds = lease.seconds;
    const leadership = await Leadership.take({ directory, natsLease, leaseSeconds, log, clock, onDeposed });
    const events = new EventReporter({ run, directory, leadership, link, nats, log, clock });
    try {
      return await body({ leadership, events, link });
    } finally {
      await events.close();
      await leadership.release();
    }
  } finally {
    await link?.close();
  }
}

/** Loaded only by a coordinator with a server: loading the NATS client takes a tenth of a coordinator's start. */
async function natsClient() {
  const [{ NatsLink }, { NatsLease }] = await Promise.all([
    import('../../transport/events/nats-link.js'),
    import('../../transport/events/nats-lease.js'),
  ]);
  return { NatsLink, NatsLease };
}
