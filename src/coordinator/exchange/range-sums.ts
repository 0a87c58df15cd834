import { bytesOf, copyBytes } from '../../transport/bytes.js';
import { formatOf, type WireVector, wireVector } from '../../transport/wire-vector.js';
import type { Member } from '../dispatch/member.js';
import type { OutgoingWeights } from '../dispatch/outgoing-weights.js';
import type { StepUpdate } from '../lane/step-update.js';
import type { ElementRange, MemberRange } from './ranges.js';

/** A part of the gradient, and who sums it. */
export interface RangeSum {
  readonly range: ElementRange;
  owner: Member;
  /** The sum is here, and the next weights are computed. */
  isDone: boolean;
  /** Identifies the sum that is here while the next weights are computed; else null. */
  computing: object | null;
}

export interface RangeSumsListener {
  /** The next weights in a range are there. @param messages that send them */
  computed(sum: RangeSum, messages: readonly Buffer[]): void;
  /** Every sum is there, and the gradient is hashed. */
  complete(): void;
  notFinite(member: Member): void;
  /** The run cannot go on. */
  failed(error: Error): void;
}

/**
 * The sums of one step's ranges, which together are its gradient and its moments. As each of the gradient arrives, the next
 * weights in its range are computed and the gradient is hashed, while other ranges are still added.
 */
export class RangeSums {
  readonly all: readonly RangeSum[];
  /** SHA-256 (hex) of the gradient; null until all of it is there. */
  gradientSha256: string | null = null;
  /** Sums that the digest covers so far. */
  private hashed = 0;
  /** Rises when sums are forgotten. */
  private beginning = 0;
  private isOver = false;

  /** What the digest covers. */
  private readonly gradients: readonly RangeSum[];

  /**
   * @param vector where the sums are put; its content does not matter
   * @param gradientCount elements of the gradient; behind it the vector has packed moments
   */
  constructor(
    plan: readonly MemberRange[],
    private readonly vector: WireVector,
    private readonly gradientCount: number,
    private readonly step: { readonly update: StepUpdate; readonly weights: OutgoingWeights },
    private readonly listener: RangeSumsListener,
  ) {
    this.all = plan.map((owned) => ({ ...owned, isDone: false, computing: null }));
    this.gradients = this.all.filter(({ range }) => range.end <= gradientCount);
  }

  get gradient(): WireVector {
    return this.vector.subarray(0, this.gradientCount);
  }

  /** The moments, packed. */
  get moments(): Float64Array {
    return new Float64Array(bytesOf(this.vector.subarray(this.gradientCount)).slice().buffer);
  }

  /** Who adds which range of the gradient. */
  get plan(): readonly MemberRange[] {
    return this.gradients;
  }

  /** Those that are still to come. */
  get open(): readonly RangeSum[] {
    return this.all.filter(({ isDone }) => !isDone);
  }

  /** Whether every sum is there, and the gradient is hashed. */
  get isWhole(): boolean {
    return this.gradientSha256 !== null && this.open.length === 0;
  }

  find(range: ElementRange | null): RangeSum | undefined {
    return this.all.find((each) => each.range.start === range?.start && each.range.end === range.end);
  }

  /** A sum's place in the vector. */
  valuesOf({ range }: RangeSum): WireVector {
    return this.vector.subarray(range.start, range.end);
  }

  /** Forgets all sums. */
  restart(): void {
    for (const each of this.all) {
      each.isDone = false;
      each.computing = null;
    }
    this.hashed = 0;
    this.gradientSha256 = null;
    this.beginning++;
  }

  /** Nobody needs the sums any more. */
  end(): void {
    this.isOver = true;
  }

  /**
   * Takes a sum.
   * @param bytes copied, unless they are in its place already
   * @returns resolves when they are not read any more
   */
  async take(member: Member, sum: RangeSum, bytes: Uint8Array): Promise<void> {
    const { update, weights } = this.step;
    const values = this.valuesOf(sum);
    const isThere = bytes.buffer === values.buffer;
    if (!this.gradients.includes(sum)) {
      if (!isThere) copyBytes(bytes, bytesOf(values));
      this.takeMoments(member, sum);
      return;
    }
    const source = isThere
      ? null
      : wireVector(formatOf(values), bytes.buffer, bytes.byteOffset, values.length);
    const computing = {};
    sum.computing = computing;
    const sending = update.isRangewise ? weights.following(sum.range) : null;
    await update.advance(sum.range.start, values, sending, source).then(
      (messages) => {
        if (this.isOver || sum.computing !== computing) return;
        sum.computing = null;
        if (messages === null) {
          this.listener.notFinite(member);
          return;
        }
        sum.isDone = true;
        this.hash();
        if (sending) this.listener.computed(sum, messages);
      },
      (error) => this.listener.failed(error),
    );
  }

  private takeMoments(member: Member, sum: RangeSum): void {
    // A copy: behind an odd number of elements they are not aligned.
    const moments = new Float64Array(bytesOf(this.valuesOf(sum)).slice().buffer);
    if (!moments.every(Number.isFinite)) {
      this.listener.notFinite(member);
      return;
    }
    sum.isDone = true;
    this.completeWhenWhole();
  }

  private completeWhenWhole(): void {
    if (this.isWhole) this.listener.complete();
  }

  /** Hashes the gradient as far as it is there without a gap. */
  private hash(): void {
    const { update } = this.step;
    const { gradients, beginning } = this;
    for (let next = gradients[this.hashed]; next?.isDone; next = gradients[++this.hashed]) {
      update.hash(this.valuesOf(next), this.hashed === 0);
    }
    if (this.hashed < gradients.length) return;
    update.digest().then(
      (sha256) => {
        if (this.isOver || beginning !== this.beginning) return;
        this.gradientSha256 = sha256;
        this.completeWhenWhole();
      },
      (error) => this.listener.failed(error),
    );
  }
}
