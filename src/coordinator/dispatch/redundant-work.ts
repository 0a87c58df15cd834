import { type Clock, secondsOf } from '../../clock.js';
import { CoordinatorError } from '../error.js';
import type { DeadlineEstimator } from './deadline.js';
import type { Member } from './member.js';
import type { Departure, Refusal, WorkerPool } from './pool.js';
import { Strikes } from './strikes.js';
import { Witnesses } from './witnesses.js';
import type { WorkEvent } from './work-event.js';
import { WorkShares } from './work-shares.js';

/** How often deadlines are looked at. */
const lookMs = 100;

/** Why an answer is not taken. */
export interface Refused {
  readonly refusal: Refusal;
  /** Names the value and what was expected. */
  readonly sentence: string;
}

/** What a worker computed of one unit. */
export interface UnitDigest {
  readonly unit: number;
  /** SHA-256 */
  readonly digest: Buffer;
}

/** A worker that may be given work, and how much it holds. */
export interface Candidate {
  readonly member: Member;
  readonly held: number;
  owes(unit: number): boolean;
}

/** One kind of work: its units, how they are handed out, and what becomes of their answers. */
export interface WorkKind<Answer> {
  /** Units to compute twice and compare. */
  readonly verified: readonly number[];
  /** Whether workers whose answers differ cannot both be right. */
  readonly strict: boolean;
  /** Units that a worker holds at most before it is asked for a second opinion. */
  readonly mostHeld: number;
  readonly deadlines: DeadlineEstimator;
  /** What the units are called, as a plural: `microbatches`. */
  readonly units: string;
  /** What workers give, as a plural: `gradients`. */
  readonly answers: string;
  /** A unit in words. */
  name(unit: number): string;
  /** Units that no answer covers, in order. */
  missing(): readonly number[];
  /** Divides units that nobody holds in time; none goes to a worker that owes it. */
  assign(units: readonly number[], candidates: readonly Candidate[]): { member: Member; units: number[] }[];
  send(member: Member, units: readonly number[]): void;
  /** What a worker gets that was admitted in the middle of the work, before any unit. */
  prepare?(member: Member): void;
  /** What cannot be true about an answer. */
  implausible(units: readonly number[], answer: Answer): Refused | null;
  /** What the member computed of the units that are compared, as this process can see or must believe. */
  digestsOf(
    units: readonly number[],
    answer: Answer,
    isCompared: (unit: number) => boolean,
  ): readonly UnitDigest[] | Refused;
  /** Told of every answer to units that its worker owed. */
  answered(member: Member, units: readonly number[], answer: Answer, seconds: number): void;
  /** Told of units that were not answered in time. */
  overdue(member: Member, units: readonly number[]): void;
  /** Makes an answer part of the result, as far as it is not there yet. */
  take(member: Member, units: readonly number[], answer: Answer): void;
  /** Whether an answer of the member is part of the result. */
  isUsed(member: Member): boolean;
  /** Takes what these members answered out of the result; it is missing again. */
  discard(members: readonly Member[]): void;
  /** The result is settled or given up: its memory is not held for stragglers. */
  end(): void;
  /** No worker owes anything any more. */
  forget(): void;
}

export interface WorkSurroundings {
  readonly pool: WorkerPool;
  readonly clock: Clock;
  /** Told what happens to the units. */
  readonly notify: (event: WorkEvent) => void;
  readonly signal: AbortSignal;
  /** Told of answers that contradict each other after one of them was used. */
  readonly onLateContradiction: (error: CoordinatorError) => void;
}

/**
 * Has a set of units computed by whatever workers there are. Units of a worker that leaves go to others, those of a
 * straggler go out a second time; the first answer counts and later ones are compared with it. Where two differ a third
 * decides, and the odd one is set aside with all that it answered. After the end the answers that are still to come are
 * listened for, to know who is free and to compare them.
 */
export class RedundantWork<Answer> {
  private readonly shares = new WorkShares<Member>();
  private readonly witnesses = new Witnesses<Member>();
  /** How many answers each unit needs that is compared. */
  private readonly wanted = new Map<number, number>();
  /** Of them, those about which workers contradict each other. */
  private readonly contested = new Set<number>();
  private settled!: { resolve: () => void; reject: (error: unknown) => void };
  private stopLooking = () => {};
  private isWaiting = false;
  private isOver = false;

  constructor(
    private readonly kind: WorkKind<Answer>,
    private readonly surroundings: WorkSurroundings,
  ) {
    for (const unit of kind.verified) this.wanted.set(unit, 2);
  }

  /**
   * Resolves when every unit is answered and no comparison is open; rejects with the signal's reason when aborted. To be
   * called once.
   * @throws CoordinatorError COORDINATOR_CONTRADICTION when workers contradict each other and nobody can decide
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

  /** Takes what a worker answered about some units; what it does not owe is left aside. */
  answer(member: Member, units: readonly number[], answer: Answer): void {
    const { kind, shares } = this;
    const { pool, clock } = this.surroundings;
    if (units.length === 0 || !units.every((unit) => shares.owes(member, unit))) return;
    const refused = this.isOver ? null : kind.implausible(units, answer);
    const digests = refused ?? kind.digestsOf(units, answer, (unit) => this.isCompared(unit, member));
    if ('refusal' in digests) {
      pool.refuse(member, digests.refusal, digests.sentence);
      return;
    }
    const { late, seconds } = shares.answer(member, units, secondsOf(clock));
    if (late === 0) kind.deadlines.observe(seconds / units.length);
    kind.answered(member, units, answer, seconds);
    member.overdue -= late;
    pool.account(member, -units.length);
    const odd = this.hear(member, digests);
    // Before anyone hears that a worker is gone: what it held must not go out while the answer to it is here.
    if (!this.isOver && !odd.has(member)) kind.take(member, units, answer);
    for (const [each, unit] of odd) {
      pool.setAside(each, 'wrong', `of ${kind.name(unit)} it gave ${kind.answers} that no other worker did`);
    }
    this.goOn();
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

  /** Notes what a worker computed. @returns whom that shows to be wrong, each with a unit of which it was */
  private hear(member: Member, digests: readonly UnitDigest[]): Map<Member, number> {
    const odd = new Map<Member, number>();
    for (const { unit, digest } of digests) {
      this.witnesses.state(unit, member, digest.toString('hex'));
      for (const each of this.judge(unit)) odd.set(each, unit);
    }
    return odd;
  }

  /** Compares what was said of a unit. @returns whom the others outvote */
  private judge(unit: number): readonly Member[] {
    const { kind, witnesses, wanted, contested } = this;
    const { notify, onLateContradiction } = this.surroundings;
    const compared = (outcome: 'agreed' | 'contradiction') =>
      notify({ type: 'work.compared', work: kind.units, unit, outcome });
    const verdict = witnesses.verdict(unit);
    if (verdict.kind === 'alone') return [];
    if (verdict.kind === 'agreed') {
      compared('agreed');
      wanted.delete(unit);
      contested.delete(unit);
      return [];
    }
    if (!contested.has(unit)) compared('contradiction');
    // Workers of different numerical identities may differ.
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
    if (verdict.odd.some((member) => kind.isUsed(member))) {
      if (this.isOver) onLateContradiction(this.contradiction(unit));
      else kind.discard(verdict.odd);
    }
    for (const member of verdict.odd) witnesses.forget(member);
    // Where only an odd one disagreed, nobody does any more.
    for (const other of contested) {
      if (witnesses.verdict(other).kind !== 'contradiction') contested.delete(other);
    }
    return verdict.odd;
  }

  private goOn(): void {
    this.dispatch();
    this.finishWhenWhole();
    this.forgetWhenEmpty();
  }

  private readonly dispatch = (): void => {
    if (this.isOver) return;
    this.askForMore();
    this.handOut();
    this.askForMore();
  };

  /** Hands out the units that nobody owes in time and no answer covers. */
  private handOut(): void {
    const { kind, shares } = this;
    const { pool, notify } = this.surroundings;
    const inTime = shares.allInTime();
    const units = kind.missing().filter((unit) => !inTime.has(unit));
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

  /** Asks further workers for the units that need more answers than are there or on their way. */
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

  /** Of the workers that may be asked for a unit too, the one that holds least. */
  private nextWitness(unit: number): Member | undefined {
    const { kind, shares, contested } = this;
    const free = this.possibleWitnesses(unit).filter(
      (member) => contested.has(unit) || shares.countOf(member) < kind.mostHeld,
    );
    return free.sort((a, b) => shares.countOf(a) - shares.countOf(b))[0];
  }

  /**
   * Workers that have not said what a unit is and do not owe it. About a contested one whoever is there may decide, also
   * who is late or still receives its first weights.
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
    const { pool, clock } = this.surroundings;
    this.kind.send(member, units);
    // What it needs was encoded meanwhile, where it was not before: its time begins now.
    this.shares.give(member, units, secondsOf(clock));
    pool.account(member, units.length);
  }

  /** Lets others compute too what is overdue. */
  private readonly expire = (): void => {
    const { pool, clock, notify } = this.surroundings;
    const { deadlines, units: work } = this.kind;
    const now = secondsOf(clock);
    let mayGoElsewhere = false;
    for (const { worker, units } of this.shares.expire(now, (count) => deadlines.secondsFor(count))) {
      worker.overdue += units.length;
      const hasOthers = pool.admitted().some((other) => other !== worker && other.overdue === 0);
      if (this.isOver || !hasOthers) continue;
      mayGoElsewhere = true;
      this.kind.overdue(worker, units);
      notify({ type: 'work.overdue', work, units: units.length, member: worker });
      if (pool.strikes.count(worker, now)) pool.setAside(worker, 'slow', `it missed ${Strikes.rule}`);
    }
    if (mayGoElsewhere) this.dispatch();
    this.finishWhenWhole();
  };

  private readonly onGone = (member: Member, departure: Departure): void => {
    const lost = this.shares.drop(member).length;
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
      // Whoever still owes it, however late, may decide.
      if (this.shares.isOwed(unit) || this.possibleWitnesses(unit).length > 0) continue;
      this.end(() => this.settled.reject(this.contradiction(unit)));
      return;
    }
    if (this.contested.size > 0 || this.kind.missing().length > 0) return;
    for (const unit of [...this.wanted.keys()]) {
      if (this.shares.inTime(unit) > 0 || this.possibleWitnesses(unit).length > 0) return;
      // There is nobody to compare it with.
      this.wanted.delete(unit);
    }
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
    this.forgetWhenEmpty();
  }

  private forgetWhenEmpty(): void {
    if (!this.isOver || !this.shares.isEmpty) return;
    this.stopLooking();
    this.surroundings.pool.off('gone', this.onGone);
    this.kind.forget();
  }

  private contradiction(unit: number): CoordinatorError {
    return new CoordinatorError(
      'COORDINATOR_CONTRADICTION',
      `workers gave different ${this.kind.answers} of ${this.kind.name(unit)} and no further worker could decide between them; the last checkpoint is older, and resuming goes on from it`,
    );
  }
}
