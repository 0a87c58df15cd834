import { type KV, type NatsConnection, nanos, StorageType } from 'nats';
import * as z from 'zod';
import { isDead, isSameProcess, ownProcess } from '../../machine/process-name.js';
import { TransportError } from '../error.js';
import type { NatsLink } from './nats-link.js';
import { natsTimeoutMs, runToken } from './nats-names.js';

const leaseBucket = 'FCAENET_LEASES';

const holderSchema = z.object({
  term: z.number().int().nonnegative(),
  pid: z.number().int(),
  host: z.string(),
  // Earlier versions did not write it.
  bootId: z.string().nullable().default(null),
  pidNamespace: z.string().nullable().default(null),
  processStart: z.string().nullable(),
});
type Holder = z.output<typeof holderSchema>;

/**
 * A run's lease in NATS: one key of the bucket FCAENET_LEASES. It changes only by compare-and-set on its revision, and
 * the server deletes it when nobody renews it. While the server cannot be reached, the run continues under the run
 * directory's lease. A coordinator that finds another holder afterwards has lost the lease.
 */
export class NatsLease {
  private revision: number | null = null;
  private term = 0;
  /** Term of the previous holder; 0 when there was none. */
  lastTerm = 0;

  constructor(
    private readonly link: NatsLink,
    private readonly run: string,
    private readonly leaseSeconds: number,
  ) {}

  /**
   * Takes the lease, if the server answers in time.
   * @throws TransportError TRANSPORT_NATS_LEASE_HELD when another coordinator holds it
   */
  async acquire(): Promise<void> {
    const holder = await this.attempt((bucket) => this.take(bucket));
    if (holder) {
      throw new TransportError(
        'TRANSPORT_NATS_LEASE_HELD',
        `the NATS server says that process ${holder.pid} on ${holder.host} leads run ${this.run} (term ${holder.term}); its lease ends ${this.leaseSeconds} s after its last renewal`,
      );
    }
  }

  /** Writes the term that this coordinator was granted. */
  async announce(term: number): Promise<void> {
    this.term = term;
    await this.renew();
  }

  /** Extends the lease from now on; `unknown` when the server does not answer. */
  async renew(): Promise<'held' | 'lost' | 'unknown'> {
    if (!this.link.connected) return 'unknown';
    const outcome = await this.attempt(async (bucket): Promise<'held' | 'lost'> => {
      if (this.revision !== null && (await this.update(bucket, this.revision))) return 'held';
      return (await this.take(bucket)) === null ? 'held' : 'lost';
    });
    return outcome ?? 'unknown';
  }

  /** Deletes the lease, unless a later holder has it. */
  async release(): Promise<void> {
    const { revision } = this;
    this.revision = null;
    if (revision !== null && this.link.connected) {
      await this.attempt((bucket) => bucket.delete(runToken(this.run), { previousSeq: revision }));
    }
  }

  /** Takes the lease. Returns the other holder, or null when this process holds it now. */
  private async take(bucket: KV): Promise<Holder | null> {
    const key = runToken(this.run);
    const entry = await bucket.get(key);
    if (entry === null || entry.operation !== 'PUT') {
      return (await this.update(bucket, entry?.revision ?? 0)) ? null : this.take(bucket);
    }
    const holder = parseHolder(entry.string());
    // An unreadable lease does not count.
    if (holder !== null && !isSameProcess(holder, ownProcess()) && !isDead(holder)) return holder;
    this.lastTerm = Math.max(this.lastTerm, holder?.term ?? 0);
    return (await this.update(bucket, entry.revision)) ? null : this.take(bucket);
  }

  /** Compare-and-set; false when the key has another revision by now. */
  private async update(bucket: KV, revision: number): Promise<boolean> {
    const holder: Holder = { term: this.term, ...ownProcess() };
    try {
      this.revision = await bucket.put(runToken(this.run), JSON.stringify(holder), {
        previousSeq: revision,
      });
      return true;
    } catch (error) {
      if ((error as { api_error?: { err_code?: number } }).api_error?.err_code !== wrongLastSequence)
        throw error;
      this.revision = null;
      return false;
    }
  }

  /** All runs share the bucket, so its expiry must not be shorter than the longest lease. */
  private async keepLongEnough(connection: NatsConnection, bucket: KV): Promise<void> {
    const { ttl } = await bucket.status();
    if (ttl >= this.leaseSeconds * 1000) return;
    const manager = await this.link.jetStreamManager(connection);
    await manager.streams.update(`KV_${leaseBucket}`, { max_age: nanos(this.leaseSeconds * 1000) });
  }

  /** Applies `use` to the bucket; null when the server does not answer. */
  private async attempt<Value>(use: (bucket: KV) => Promise<Value>): Promise<Value | null> {
    const connection = await this.link.get(natsTimeoutMs);
    if (connection === null) return null;
    try {
      const bucket = await connection.jetstream({ timeout: natsTimeoutMs }).views.kv(leaseBucket, {
        ttl: this.leaseSeconds * 1000,
        history: 1,
        storage: StorageType.File,
        timeout: natsTimeoutMs,
      });
      await this.keepLongEnough(connection, bucket);
      const value = await use(bucket);
      this.link.succeeded('lease');
      return value;
    } catch (error) {
      this.link.failed('lease', error);
      return null;
    }
  }
}

/** The server's code for a compare-and-set on an old revision. */
const wrongLastSequence = 10_071;

function parseHolder(text: string): Holder | null {
  try {
    return holderSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
