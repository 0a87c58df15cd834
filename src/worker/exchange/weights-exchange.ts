import type { WirePrecision } from '../../run/training-run.js';
import { bytesOf } from '../../transport/bytes.js';
import type { TransferMemory } from '../../transport/transfer-memory.js';
import { type WireVector, wireBytes } from '../../transport/wire-vector.js';
import { bytesOfElements, elementsOf, readElements } from './elements.js';
import type { ExchangeOutput } from './output.js';
import { Coverage, type ElementRange, type OwnedElements, rangeKey } from './ranges.js';

/** Versions that are kept: the newest, which is on its way, and the one before it, which others may lack. */
const mostVersions = 2;

class WeightsVersion {
  readonly coverage = new Coverage();
  isComplete = false;
  plan: readonly OwnedElements[] = [];
  /** Ranges that this worker passes on. */
  readonly forwarded: ElementRange[] = [];
  /** Ranges that the coordinator was asked for. */
  readonly asked = new Set<string>();

  /** @param elements `[weightCount]` */
  constructor(
    readonly version: number,
    readonly elements: WireVector,
  ) {}
}

/** Assembles the weights from ranges of the coordinator and of peers, and passes on what is this worker's to pass on. */
export class WeightsExchange {
  private readonly versions = new Map<number, WeightsVersion>();
  private newestPlanned = -1;
  private newestComplete = -1;

  constructor(
    private readonly self: number,
    private readonly weightCount: number,
    private readonly precision: WirePrecision,
    private readonly peers: ReadonlySet<number>,
    private readonly memory: TransferMemory<ArrayBufferLike>,
    private readonly output: ExchangeOutput,
  ) {}

  follow(version: number, plan: readonly OwnedElements[]): void {
    this.newestPlanned = Math.max(this.newestPlanned, version);
    const weights = this.open(version);
    if (weights) weights.plan = plan;
    this.askForMissing();
  }

  /**
   * Whether a range from a peer is to be received: null while it is too early. A peer may be one version ahead of the
   * plans that have come; further ahead it waits, so that it cannot displace weights that are needed.
   */
  wants(version: number, range: ElementRange): boolean | null {
    if (version <= this.newestComplete) return false;
    if (this.newestPlanned >= 0 && version > this.newestPlanned + 1) return null;
    const weights = this.open(version);
    return weights !== null && !weights.coverage.has(range);
  }

  /** @param forward whether this worker passes the range on */
  receive(version: number, range: ElementRange, bytes: Uint8Array, forward: boolean): void {
    const weights = this.open(version);
    if (!weights) return;
    if (!weights.coverage.has(range)) {
      readElements(weights.elements, range, bytes);
      weights.coverage.add(range);
    }
    if (forward) {
      weights.forwarded.push(range);
      for (const peer of this.peers) this.pass(peer, weights, range);
    }
    if (version > this.newestComplete && weights.coverage.has({ start: 0, end: this.weightCount })) {
      this.newestComplete = version;
      weights.isComplete = true;
      this.output.weights(version, bytesOf(weights.elements));
    }
  }

  /** Asks for ranges that nobody will pass on: their owners have left. */
  askForMissing(): void {
    for (const [version, { plan, coverage, asked }] of this.versions) {
      const ranges = plan
        .filter(({ owner }) => owner !== this.self && !this.peers.has(owner))
        .map(({ start, end }) => ({ start, end }))
        .filter((range) => !coverage.has(range) && !asked.has(rangeKey(range)));
      for (const range of ranges) asked.add(rangeKey(range));
      if (ranges.length > 0) this.output.weightsMissing(version, ranges);
    }
  }

  /** Passes on to a new peer what others have got already of the newest weights. */
  meet(peer: number): void {
    const newest = this.versions.get(this.newestPlanned);
    for (const range of newest?.forwarded ?? []) this.pass(peer, newest!, range);
  }

  /** Passes everything on again, because the member may lack it. */
  sendAgain(member: number): void {
    for (const weights of this.versions.values()) {
      for (const range of weights.forwarded) this.pass(member, weights, range);
    }
  }

  private pass(member: number, { version, elements }: WeightsVersion, range: ElementRange): void {
    this.output.send(member, { kind: 'weights', version, range, bytes: bytesOfElements(elements, range) });
  }

  /** The memory of a version; null for one that is older than those that are kept. */
  private open(version: number): WeightsVersion | null {
    const found = this.versions.get(version);
    if (found) return found;
    if (this.versions.size === mostVersions) {
      const oldest = Math.min(...this.versions.keys());
      if (version < oldest) return null;
      this.output.release(this.versions.get(oldest)!.elements.buffer);
      if (!this.versions.get(oldest)!.isComplete) this.output.weightsLost(oldest);
      this.versions.delete(oldest);
    }
    const elements = elementsOf(
      this.memory.take(wireBytes(this.precision, this.weightCount)),
      this.precision,
    );
    const weights = new WeightsVersion(version, elements);
    this.versions.set(version, weights);
    return weights;
  }
}
