import { secondsOf } from '../../clock.js';
import { CoordinatorError } from '../error.js';
import type { DeadlineEstimator } from './deadline.js';
import { Lateness } from './lateness.js';
import type { Member } from './member.js';
import type { Departure, RejectionReason } from './pool.js';
import { Strikes } from './strikes.js';
import { Witnesses } from './witnesses.js';
import { WorkShares } from './work-shares.js';
import type { WorkSurroundings } from './work-surroundings.js';

/** Interval of deadline checks. */
const lookMs = 100;

/** Why an answer is rejected. */
export interface Rejection {
  readonly reason: RejectionReason;
  /** Names the value and what was expected. */
  readonly sentence: string;
}

/** The digest of a worker's result for one unit. */
export interface UnitDigest {
  readonly unit: number;
  /** SHA-256 */
  readonly digest: Buffer;
}

/** A worker that may get work, and the number of units that it holds. */
export interface Candidate {
  readonly member: Member;
  readonly held: number;
  owes(unit: number): boolean;
}

/** One kind of work: its units, how they are assigned, and what happens to the answers. */
export interface WorkKind<Answer> {
  /** Units to compute twice and compare. */
  readonly verified: readonly number[];
  /** Whether two different answers prove that one of the workers is wrong. */
  readonly strict: boolean;
  /** A worker that holds this many units for each of its devices is not asked for a second answer. */
  readonly mostHeld: number;
  readonly deadlines: DeadlineEstimator;
  /** Name of the units, in plural: `microbatches`. */
  readonly units: string;
  /** Name of the answers, in plural: `gradients`. */
  readonly answers: string;
  /** Describes a unit. */
  name(unit: number): string;
  /** Units without an answer, in order. */
  missing(): readonly number[];
  /** Assigns units that no worker holds within its deadline. A unit never goes to a worker that holds it already. */
  assign(units: readonly number[], candidates: readonly Candidate[]): { member: Member; units: number[] }[];
  send(member: Member, units: readonly number[]): void;
  /** Sends what a worker needs that was admitted during the work, before its first unit. */
  prepare?(member: Member): void;
  /** Which of several devices of a worker computed a unit, as an appended clause; empty where that is not known. */
  deviceClause?(member: Member, unit: number): string;
  /** Checks an answer for impossible values. */
  implausible(units: readonly number[], answer: Answer): Rejection | null;
  /**
   * The member's digests of the units that are compared. They are computed here, or taken from the worker's message.
   */
  digestsOf(
    units: readonly number[],
    answer: Answer,
    isCompared: (unit: number) => boolean,
  ): readonly UnitDigest[] | Rejection;
  /** Called with every answer to units that its worker holds. */
  answered(member: Member, units: readonly number[], answer: Answer, seconds: number): void;
  /** Called with units that were not answered in time. */
  overdue(member: Member, units: readonly number[]): void;
  /** Adds an answer to the result, unless the units are already there. */
  take(member: Member, units: readonly number[], answer: Answer): void;
  /** Whether an answer of the member is part of the result. */
  isUsed(member: Member): boolean;
  /** Removes the answers of these members from the result. Their units are missing again. */
  discard(members: readonly Member[]): void;
  /** The result is complete or given up. Release the memory that was kept for late answers. */
  end(): void;
  /** No worker holds a unit any more. */
  release(): void;
  /** A member left. What it held for the result is missing again. */
  gone?(member: Member): void;
  /** Whether the result is there when no unit is missing; always where this is absent. */
  isWhole?(): boolean;
}

/**
 * Computes a set of units on the available workers. Units of a worker that leaves go to other workers, and units of a
 * straggler are assigned a second time. The first answer counts, and later answers are compared with it. When two
 * answers differ, a third one decides. The outvoted worker is set aside, and all its answers are discarded. After the
 * end, late answers are still received, to know which workers are free and to compare them.
 */
export class RedundantWork<Answer> {
  private readonly shares = new WorkShares<Member>();
  private readonly witnesses = new Witnesses<Member>();
  /** Number of answers that each compared unit needs. */
  private readonly wanted = new Map<number, number>();
  /** Those of them on which workers contradict each other. */
  private readonly contested = new Set<number>();
  private readonly lateness: Lateness;
  /** Whether units are not handed out because the answer of a late worker is coming. */
  private countsOnLate = false;
  private settled!: { resolve: () => void; reject: (error: unknown) => void };
  private stopLooking = () => {};
  private isWaiting = false;
  private isOver = false;

  constructor(
    private readonly kind: WorkKind<Answer>,
    private readonly surroundings: WorkSurroundings,
  ) {
    for (const unit of kind.verified) this.wanted.set(unit, 2);
    this.lateness = new Lateness(kind.deadlines, this.shares, surroundings);
  }

  /**
   * Resolves when every unit is answered and no comparison is open; rejects with the signal's reason when aborted. Call
   * it once.
   * @throws CoordinatorError COORDINATOR_CONTRADICTION when workers contradict each other and no further worker can
   * decide
   */
  run(): Promise<void> {
    const { pool, clock, signal } = this.surroundings;
    return new Promise((resolve, reject) => {
      this.settled = { resolve, reject };
      this.stopLooking = clock.every(lookMs, this.expire);
      pool.on('gone', this.onGone);
      pool.on('ready', this.onReady);
      pool.on('gathering', this.dispatch);
      signal.addEventListener('abort', this.onAbort, { once: true });
      if (signal.aborted) this.onAbort();
      else this.goOn();
    });
  }

  /** Handles a worker's answer to some units. Ignores units that it does not hold. */
  answer(member: Member, units: readonly number[], answer: Answer): void {
    const { kind, shares } = this;
    const { pool, clock } = this.surroundings;
    if (units.length === 0 || !units.every((unit) => shares.owes(member, unit))) return;
    const rejection = kind.implausible(units, answer);
    const digests = rejection ?? kind.digestsOf(units, answer, (unit) => this.isCompared(unit, member));
    if ('reason' in digests) {
      pool.rejectAnswer(member, digests.reason, digests.sentence);
      return;
    }
    const { late, seconds } = shares.answer(member, units, secondsOf(clock));
    if (late === 0) kind.deadlines.observe(seconds / member.roundsFor(units.length));
    kind.answered(member, units, answer, seconds);
    member.overdue -= late;
    pool.account(member, -units.length);
    const outvoted = this.record(member, digests);
    // Take the answer before the worker is reported as gone, so that its units are not assigned again.
    if (!this.isOver && !outvoted.has(member)) kind.take(member, units, answer);
    for (const [each, unit] of outvoted) {
      pool.setAside(
        each,
        'wrong',
        `its ${kind.answers} of ${kind.name(unit)}${kind.deviceClause?.(each, unit) ?? ''} differ from those of the other workers`,
      );
    }
    this.goOn();
  }

  /** Ends the work without a result. */
  giveUp(error: Error): void {
    this.end(() => this.settled.reject(error));
  }

  private isCompared(unit: number, member: Member): boolean {
    const { wanted, contested, witnesses, shares } = this;
    return (
      wanted.has(unit) ||
      contested.has(unit) ||
      witnesses.othersStated(unit, member) ||
      shares.isOwedByOthers(member, unit)
    );
  }

  /** Records a worker's digests. @returns the workers that are shown to be wrong, each with a unit */
  private record(member: Member, digests: readonly UnitDigest[]): Map<Member, number> {
    const outvoted = new Map<Member, number>();
    for (const { unit, digest } of digests) {
      this.witnesses.state(unit, member, digest.toString('hex'));
      for (const each of this.compare(unit)) outvoted.set(each, unit);
    }
    return outvoted;
  }

  /** Compares the digests of a unit. @returns the outvoted workers */
  private compare(unit: number): readonly Member[] {
    const { kind, witnesses, wanted, contested } = this;
    const { notify, onLateContradiction } = this.surroundings;
    const compared = (outcome: 'agreed' | 'contradiction', members: readonly Member[] = []) =>
      notify({ type: 'work.compared', work: kind.units, unit, outcome, members });
    const verdict = witnesses.verdict(unit);
    if (verdict.kind === 'alone') return [];
    if (verdict.kind === 'agreed') {
      compared('agreed');
      wanted.delete(unit);
      contested.delete(unit);
      return [];
    }
    if (!contested.has(unit)) compared('contradiction', verdict.kind === 'decided' ? [] : verdict.workers);
    // Workers of different numerical identities may compute different bits.
    if (!kind.strict) {
      wanted.delete(unit);
      return [];
    }
    contested.add(unit);
    wanted.set(unit, witnesses.countOf(unit) + 1);
    if (verdict.kind === 'contradiction') {
      if (this.isOver) onLateContradiction(this.contradiction(unit));
      return [];
    }
    contested.delete(unit);
    wanted.delete(unit);
    if (verdict.outvoted.some((member) => kind.isUsed(member))) {
      if (this.isOver) onLateContradiction(this.contradiction(unit));
      else kind.discard(verdict.outvoted);
    }
    for (const member of verdict.outvoted) witnesses.remove(member);
    // The contradiction is over when only an outvoted worker disagreed.
    for (const other of contested) {
      if (witnesses.verdict(other).kind !== 'contradiction') contested.delete(other);
    }
    return verdict.outvoted;
  }

  /** Hands out what is missing, and ends the work when the result is there. Call it when the kind's state changes. */
  goOn(): void {
    this.dispatch();
    this.finishWhenWhole();
    this.releaseWhenEmpty();
  }

  private readonly dispatch = (): void => {
    if (this.isOver) return;
    this.askForMore();
    this.handOut();
    this.askForMore();
  };

  /** Assigns the units that have no answer and that no worker will answer in time. */
  private handOut(): void {
    const { kind, shares, lateness } = this;
    const { pool, notify } = this.surroundings;
    const inTime = shares.allInTime();
    const expected = shares.expectedFirst((...held) => lateness.comesFirst(...held));
    this.countsOnLate = expected.size > 0;
    const units = kind.missing().filter((unit) => !inTime.has(unit) && !expected.has(unit));
    if (units.length === 0) return;
    const workers = pool.available();
    if (workers.length === 0 && !this.isWaiting) notify({ type: 'work.waiting' });
    this.isWaiting = workers.length === 0;
    if (this.isWaiting) return;
    const candidates = workers.map((member) => ({
      member,
      held: shares.countOf(member),
      owes: (unit: number) => shares.owes(member, unit),
    }));
    for (const share of kind.assign(units, candidates)) this.hand(share.member, share.units);
  }

  /** Assigns units that need more answers to further workers. */
  private askForMore(): void {
    for (const [unit, answers] of this.wanted) {
      for (;;) {
        const known = this.witnesses.countOf(unit) + this.shares.inTime(unit);
        const other = known > 0 && known < answers ? this.nextWitness(unit) : undefined;
        if (!other) break;
        this.hand(other, [unit]);
      }
    }
  }

  /** Among the workers that may compute a unit too, the one that holds the fewest units. */
  private nextWitness(unit: number): Member | undefined {
    const { kind, shares, contested } = this;
    const free = this.possibleWitnesses(unit).filter(
      (member) => contested.has(unit) || shares.countOf(member) < kind.mostHeld * member.capacity,
    );
    return free.sort((a, b) => shares.countOf(a) - shares.countOf(b))[0];
  }

  /**
   * Workers that have not answered a unit and do not hold it. For a contested unit this includes workers that are late
   * or still receive their first weights.
   */
  private possibleWitnesses(unit: number): Member[] {
    const { shares, witnesses, contested } = this;
    const { pool } = this.surroundings;
    const members = contested.has(unit)
      ? pool.admitted()
      : pool.available().filter(({ overdue }) => overdue === 0);
    return members.filter((member) => !shares.owes(member, unit) && !witnesses.hasStated(unit, member));
  }

  private hand(member: Member, units: readonly number[]): void {
    const { kind, shares } = this;
    const { pool, clock } = this.surroundings;
    kind.send(member, units);
    shares.give(member, units, secondsOf(clock));
    // Weights and work of others may be in front of it.
    void member.hasLeft().then(() => shares.left(member, units, secondsOf(clock)));
    pool.account(member, units.length);
  }

  /** Lets other workers compute overdue units too. */
  private readonly expire = (): void => {
    const { pool, clock, notify } = this.surroundings;
    const { kind, shares, lateness } = this;
    const { units: work } = kind;
    const now = secondsOf(clock);
    if (lateness.wasHeldUp()) {
      // What has arrived meanwhile is read first.
      clock.after(0, this.expire);
      return;
    }
    // What was coming may have stopped.
    let mayGoElsewhere = this.countsOnLate;
    for (const { worker, units } of shares.expire((...held) => lateness.isLate(...held))) {
      worker.overdue += units.length;
      const hasOthers = pool.admitted().some((other) => other !== worker && other.overdue === 0);
      if (this.isOver || !hasOthers) continue;
      mayGoElsewhere = true;
      kind.overdue(worker, units);
      notify({ type: 'work.overdue', work, units: units.length, member: worker });
      if (pool.strikes.count(worker, now)) pool.setAside(worker, 'slow', `it missed ${Strikes.rule}`);
    }
    if (mayGoElsewhere) this.dispatch();
    this.finishWhenWhole();
  };

  private readonly onGone = (member: Member, departure: Departure): void => {
    const lost = this.shares.drop(member).length;
    if (!this.isOver) this.kind.gone?.(member);
    if (lost > 0 && !this.isOver) {
      const work = this.kind.units;
      this.surroundings.notify({ type: 'work.redispatched', work, units: lost, departure });
    }
    this.goOn();
  };

  private readonly onReady = (member: Member): void => {
    this.kind.prepare?.(member);
    this.dispatch();
  };

  private readonly onAbort = (): void => {
    this.end(() => this.settled.reject(this.surroundings.signal.reason));
  };

  private finishWhenWhole(): void {
    if (this.isOver) return;
    for (const unit of this.contested) {
      // A worker that still holds it, however late, may decide.
      if (this.shares.isOwed(unit) || this.possibleWitnesses(unit).length > 0) continue;
      this.end(() => this.settled.reject(this.contradiction(unit)));
      return;
    }
    if (this.contested.size > 0 || this.kind.missing().length > 0) return;
    for (const unit of [...this.wanted.keys()]) {
      if (this.shares.inTime(unit) > 0 || this.possibleWitnesses(unit).length > 0) return;
      // No other worker is left to compare it with.
      this.wanted.delete(unit);
    }
    if (this.kind.isWhole?.() === false) return;
    this.end(this.settled.resolve);
  }

  private end(settle: () => void): void {
    if (this.isOver) return;
    const { pool, signal } = this.surroundings;
    this.isOver = true;
    pool.off('ready', this.onReady);
    pool.off('gathering', this.dispatch);
    signal.removeEventListener('abort', this.onAbort);
    settle();
    this.kind.end();
    this.releaseWhenEmpty();
  }

  private releaseWhenEmpty(): void {
    if (!this.isOver || !this.shares.isEmpty) return;
    this.stopLooking();
    this.surroundings.pool.off('gone', this.onGone);
    this.kind.release();
  }

  private contradiction(unit: number): CoordinatorError {
    return new CoordinatorError(
      'COORDINATOR_CONTRADICTION',
      `workers gave different ${this.kind.answers} of ${this.kind.name(unit)} and no further worker could decide between them; resume the run from its last checkpoint, which is older`,
    );
  }
}
