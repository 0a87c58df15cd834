import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import type { Peer } from '../../../src/transport/peers/identity.js';
import type { TlsMaterial } from '../../../src/transport/tls-files.js';
import type { RangeSum } from '../../../src/worker/exchange/output.js';
import type { ElementRange } from '../../../src/worker/exchange/ranges.js';
import type { PeerPatience } from '../../../src/worker/peering/peer-links.js';
import { type PeerLimits, peerLimits } from '../../../src/worker/peering/peer-server.js';
import { Peering } from '../../../src/worker/peering/peering.js';

export const shape = {
  precision: 'float32' as const,
  gradientCount: 600_003,
  momentBlocks: [],
  weightCount: 600_011,
  microbatches: 4,
};

export interface ExchangeWorkerOptions {
  readonly member: number;
  readonly tls: TlsMaterial | null;
  readonly term?: number;
  readonly limits?: Partial<PeerLimits>;
  readonly patience?: Partial<PeerPatience>;
}

/** One worker's part in an exchange, in this process, and what it says. */
export class ExchangeWorker {
  readonly sums: RangeSum[] = [];
  readonly weights: { readonly version: number; readonly values: Float32Array }[] = [];
  readonly missing: { readonly version: number; readonly ranges: readonly ElementRange[] }[] = [];
  readonly unreachable: { readonly member: number; readonly reason: string }[] = [];
  readonly reached: number[] = [];
  readonly released: ArrayBufferLike[] = [];
  readonly refusals: string[] = [];
  readonly traffic = { sentBytes: 0, receivedBytes: 0 };
  relayed = 0;
  /** When the message after one that was relayed may follow. */
  relaying = Promise.resolve();
  peering!: Peering;
  readonly key = randomBytes(16);

  private constructor(
    readonly options: ExchangeWorkerOptions,
    /** What the coordinator does with a message for another. */
    private readonly relay: (from: number, to: number, message: Buffer) => void,
  ) {}

  static async open(
    options: ExchangeWorkerOptions,
    relay: (from: number, to: number, message: Buffer) => void = () => {},
  ): Promise<ExchangeWorker> {
    const worker = new ExchangeWorker(options, relay);
    const { member, tls, term = 1, limits, patience } = options;
    worker.peering = await Peering.open(
      {
        identity: { run: 'birds', term, member, key: worker.key, tls },
        shape,
        host: '127.0.0.1',
        port: 0,
        limits: { ...peerLimits, ...limits },
        ...(patience && { patience }),
      },
      {
        sum: (sum) => worker.sums.push(sum),
        weights: (version, bytes) =>
          worker.weights.push({ version, values: new Float32Array(bytes.buffer).slice() }),
        weightsMissing: (version, ranges) => worker.missing.push({ version, ranges }),
        weightsLost: () => {},
        released: (buffer) => worker.released.push(buffer),
        unreachable: (other, reason) => worker.unreachable.push({ member: other, reason }),
        reached: (other) => worker.reached.push(other),
        relay: async (to, message) => {
          worker.relayed++;
          worker.relay(member, to, message);
          await worker.relaying;
        },
        moved: (direction, bytes) => {
          worker.traffic[direction] += bytes;
        },
        refused: (reason) => worker.refusals.push(reason),
      },
    );
    return worker;
  }

  /** How the coordinator describes it to others. */
  get peer(): Peer {
    const { member, tls } = this.options;
    const address = `127.0.0.1:${this.peering.port}`;
    return { member, address, key: this.key, certificateSha256: certificateHash(tls) };
  }
}

/** SHA-256 of a certificate; empty in plain text. */
export function certificateHash(tls: TlsMaterial | null): Buffer {
  return tls
    ? createHash('sha256').update(new X509Certificate(tls.certificate).raw).digest()
    : Buffer.alloc(0);
}

/** Waits until something holds. Throws after ten seconds. */
export async function until(holds: () => boolean): Promise<void> {
  for (const end = Date.now() + 10_000; !holds(); ) {
    if (Date.now() > end) throw new Error('it did not happen within 10 s');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
