import { type KV, type NatsConnection, nanos, StorageType } from 'nats';
import * as z from 'zod';
import { isDead, isSameProcess, ownProcess } from '../../machine/process-name.js';
import { TransportError } from '../error.js';
import { type NatsLink, natsTimeoutMs, runToken } from './nats-link.js';

const leaseBucket = 'FCAENET_LEASES';

const holderSchema = z.object({
  term: z.number().int().nonnegative(),
  pid: z.number().int(),
  host: z.string(),
  // Absent in what earlier versions wrote.
  bootId: z.string().nullable().default(null),
  pidNamespace: z.string().nullable().default(null),
  processStart: z.string().nullable(),
});
type Holder = z.output<typeof holderSchema>;

/**
 * A run's lease in NATS: one key of the bucket FCAENET_LEASES, changed only by compare-and-set on its revision, and
 * dropped by the server when nobody renews it. While the server is away the run goes on under the run directory's
 * lease; when it is back, whoever finds another holder has lost.
 */
export class NatsLease {
  private revision: number | null = null;
  private term = 0;
  /** Term of the holder before this one; 0 where there was none. */
  lastTerm = 0;

  constructor(
    private readonly link: NatsLink,
    private readonly run: string,
    private readonly leaseSeconds: number,
  ) {}

  /**
   * Takes the lease, when the server answers soon.
   * @throws TransportError TRANSPORT_NATS_LEASE_HELD when another coordinator holds it
   */
  async acquire(): Promise<void> {
    const holder = await this.attempt((bucket) => this.take(bucket));
    if (holder) {
      throw new TransportError(
        'TRANSPORT_NATS_LEASE_HELD',
        `run ${this.run} is led by process ${holder.pid} on ${holder.host} (term ${holder.term}), says the NATS server; its lease ends ${this.leaseSeconds} s after it stops renewing it`,
      );
    }
  }

  /** Shows the term that this coordinator was granted. */
  async announce(term: number): Promise<void> {
    this.term = term;
    await this.renew();
  }

  /** Makes the lease last from now on; `unknown` where the server does not tell. */
  async renew(): Promise<'held' | 'lost' | 'unknown'> {
    if (!this.link.connected) return 'unknown';
    const outcome = await this.attempt(async (bucket): Promise<'held' | 'lost'> => {
      if (this.revision !== null && (await this.update(bucket, this.revision))) return 'held';
      return (await this.take(bucket)) === null ? 'held' : 'lost';
    });
    return outcome ?? 'unknown';
  }

  /** Gives the lease back; a later holder's stays. */
  async release(): Promise<void> {
    const { revision } = this;
    this.revision = null;
    if (revision !== null && this.link.connected) {
      await this.attempt((bucket) => bucket.delete(runToken(this.run), { previousSeq: revision }));
    }
  }

  /** Whoever else holds the lease; null when this process has it now. */
  private async take(bucket: KV): Promise<Holder | null> {
    const key = runToken(this.run);
    const entry = await bucket.get(key);
    if (entry === null || entry.operation !== 'PUT') {
      return (await this.update(bucket, entry?.revision ?? 0)) ? null : this.take(bucket);
    }
    const holder = parseHolder(entry.string());
    // What nobody wrote binds nobody.
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

  /** All runs share the bucket: the longest lease decides when the server drops one that is not renewed. */
  private async keepLongEnough(connection: NatsConnection, bucket: KV): Promise<void> {
    const { ttl } = await bucket.status();
    if (ttl >= this.leaseSeconds * 1000) return;
    const manager = await this.link.jetStreamManager(connection);
    await manager.streams.update(`KV_${leaseBucket}`, { max_age: nanos(this.leaseSeconds * 1000) });
  }

  /** What `use` makes of the bucket; null where the server does not answer. */
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

/** The server's code for a compare-and-set that came too late. */
const wrongLastSequence = 10_071;

function parseHolder(text: string): Holder | null {
  try {
    return holderSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
