import { type Clock, secondsOf } from '../../clock.js';
import { type Arrival, chunkBytes } from '../../transport/tensor-stream.js';
import type { DeadlineEstimator } from './deadline.js';
import type { Member } from './member.js';
import type { WorkerPool } from './pool.js';
import type { HeldShare, WorkShares } from './work-shares.js';

/** An answer is given up when another worker would be this many times faster with all of it. */
const patience = 4;
/** Checks come every tenth of a second, unless this process was held up. */
const heldUpSeconds = 0.5;
/** The part of a transfer whose pace says nothing about the rest. */
const beginning = 0.1;

/**
 * Decides which workers are late. A worker is late when nothing of its work has moved for the deadline: no work has left
 * for it, no answer has come, no byte of an answer has arrived. So a line that is full makes nobody late. Nor does a
 * machine or network that is slow for most of them: a worker is compared with the others of the same work.
 */
export class Lateness {
  private readonly pool: WorkerPool;
  private readonly clock: Clock;
  private lookedAtSeconds: number;

  constructor(
    private readonly deadlines: DeadlineEstimator,
    private readonly shares: Pick<WorkShares<Member>, 'silent'>,
    { pool, clock }: { readonly pool: WorkerPool; readonly clock: Clock },
  ) {
    this.pool = pool;
    this.clock = clock;
    this.lookedAtSeconds = secondsOf(clock);
  }

  /** Call it before each check. @returns whether this process was held up, so that what has arrived is not read yet */
  wasHeldUp(): boolean {
    const now = secondsOf(this.clock);
    const passed = now - this.lookedAtSeconds;
    this.lookedAtSeconds = now;
    return passed > heldUpSeconds;
  }

  /** Whether others should compute the member's share too. */
  isLate(member: Member, share: HeldShare): boolean {
    return this.isStuck(member, share) || this.isFarSlower(member, share);
  }

  /** Whether the answer of a late worker is coming after all, before another worker could compute and send it. */
  comesFirst(member: Member, share: HeldShare): boolean {
    const { arrival } = member.receiver;
    if (!arrival || this.isStuck(member, share)) return false;
    return this.remainingSeconds(arrival) <= this.secondsAgain(member, share, arrival);
  }

  private isStuck(member: Member, share: HeldShare): boolean {
    const now = secondsOf(this.clock);
    const sharers = this.pool.admitted().length;
    const { receiver } = member;
    const { arrival } = receiver;
    const { received, sent } = this.pool.line;
    let movedAt = Math.max(share.movedAtSeconds, secondsSince(receiver.movedAtMs));
    const isUnsure = 2 * this.shares.silent > sharers;
    let allowed = this.deadlines.secondsFor(member.roundsFor(share.units), isUnsure);
    if (share.isLeaving) {
      movedAt = Math.max(movedAt, secondsSince(member.leftAtMs));
      allowed = Math.max(allowed, sent.patienceFor(member.leavingBytes, sharers, now));
    }
    if (arrival) {
      const next = Math.min(chunkBytes, arrival.byteLength);
      allowed = Math.max(allowed, received.patienceFor(next, sharers, now));
    }
    return now - movedAt >= allowed;
  }

  /** Whether the answer is coming, but so slowly that another worker would be far faster. */
  private isFarSlower(member: Member, share: HeldShare): boolean {
    const { arrival } = member.receiver;
    if (!arrival) return false;
    return this.remainingSeconds(arrival) > patience * this.secondsAgain(member, share, arrival);
  }

  /** At the pace at which it came so far. Its beginning says nothing yet: until then it counts as fast. */
  private remainingSeconds({ byteLength, received, beganAtMs, movedAtMs }: Arrival): number {
    if (received < beginning * byteLength) return 0;
    return ((movedAtMs - beganAtMs) / 1000) * (byteLength / received - 1);
  }

  /** Expected seconds in which another worker like it computes and sends what this one is sending. */
  private secondsAgain(member: Member, { units }: HeldShare, { byteLength }: Arrival): number {
    const sharers = this.pool.admitted().length + 1;
    const transfer = this.pool.line.received.secondsFor(byteLength, sharers, secondsOf(this.clock));
    return member.roundsFor(units) * this.deadlines.usualSeconds + transfer;
  }
}

function secondsSince(ms: number | null): number {
  return ms === null ? Number.NEGATIVE_INFINITY : ms / 1000;
}
