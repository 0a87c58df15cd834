import { EventEmitter } from 'node:events';
import { type Clock, systemClock } from '../../clock.js';
import type { EncodeResult__Output } from '../../transport/generated/fcaenet/v1/EncodeResult.js';
import type { Heartbeat__Output } from '../../transport/generated/fcaenet/v1/Heartbeat.js';
import type { NodeResult__Output } from '../../transport/generated/fcaenet/v1/NodeResult.js';
import type { RangeResult__Output } from '../../transport/generated/fcaenet/v1/RangeResult.js';
import type { WeightsMissing__Output } from '../../transport/generated/fcaenet/v1/WeightsMissing.js';
import type { Traffic } from '../../transport/service.js';
import { TransferMemory } from '../../transport/transfer-memory.js';
import { DeadlineEstimator } from './deadline.js';
import { ExpectedAnswers } from './expected-answers.js';
import { type Line, LinePace } from './line-pace.js';
import type { Member, MemberState } from './member.js';
import { Strikes } from './strikes.js';
import { type AnswerFigures, WorkerTally } from './worker-tally.js';

/** Node results that wait to be summed, or are the sum. More memory is not kept for the next ones. */
const keptResults = 4;

/** The failure with which a worker ended. */
export interface WorkerFailure {
  readonly code: string;
  readonly message: string;
  readonly exitCode: number;
}

/** Why a member left, as a sentence for the log, and whether its own bad input caused it. */
export interface Departure {
  readonly reason: string;
  /** The failure that the worker reported, or null when it disappeared. */
  readonly failure: WorkerFailure | null;
}

/** Why an answer is rejected. */
export const rejectionReasons = [
  'bad_message',
  'damaged',
  'unknown_node',
  'wrong_length',
  'wrong_digest',
  'non_finite',
] as const;
export type RejectionReason = (typeof rejectionReasons)[number];

/** Why a worker is set aside for the rest of the run. */
export const faults = ['slow', 'wrong'] as const;
export type Fault = (typeof faults)[number];

/** There are too few workers to hand out work. */
export interface Waiting {
  readonly present: number;
  readonly needed: number;
  readonly since: Date;
}

interface PoolEvents {
  ready: [member: Member];
  gone: [member: Member, departure: Departure];
  /** A worker was refused. Emitted at a limited rate, because peers may retry at any rate. */
  workerRefused: [name: string, code: string, sentence: string];
  setAside: [member: Member, fault: Fault, sentence: string];
  /** The number of workers fell below the minimum, or reached it. */
  gathering: [waiting: Waiting | null];
  answerRejected: [member: Member, reason: RejectionReason, sentence: string];
  /** A worker lacks parts of the weights of its running work. */
  weightsMissing: [member: Member, missing: WeightsMissing__Output];
  /** Ranges on their way to a worker and from it may be lost. From now on they go over its own stream. */
  rangesLost: [member: Member];
  /** This process cannot reach a worker, whose ranges go over its own stream. Emitted some time after the loss. */
  unreachable: [member: Member, reason: string];
  /** This process has reached it again. */
  reached: [member: Member];
  /** A worker cannot reach another one and sends what is for it through this process. */
  peerUnreachable: [member: Member, other: Member, reason: string];
  /** A worker has reached another one again. */
  peerReached: [member: Member, other: Member];
}

/**
 * The workers of a run, by slot. The server adds them and passes on their messages. Running work listens for `ready`,
 * `gone` and results. A slot is the smallest free number, so the number of labels stays small.
 */
export class WorkerPool extends EventEmitter<PoolEvents> {
  private readonly members = new Map<number, Member>();
  /** Members that left, over the whole run. */
  departed = 0;
  /** Totals of all members, including those that left. */
  readonly answers = new WorkerTally();
  /** What members say that they sent to one another and received, including those that left. */
  readonly peerTraffic: Traffic = { sentBytes: 0, receivedBytes: 0 };
  /** The coordinator's leadership term; set by the server. */
  term = 0;
  /** Expected sums of microbatches. */
  readonly nodes = new ExpectedAnswers<NodeResult__Output>(() => {});
  /** Expected encoded batches. */
  readonly encoded = new ExpectedAnswers<EncodeResult__Output>(() => {});
  /** Expected sums of ranges. */
  readonly ranges = new ExpectedAnswers<RangeResult__Output, Promise<void>>(async () => {});
  private lastRequest = 0;
  private lastNumber = 0;

  /** Where received transfers are assembled, readable by threads. The code that sums them gives the memory back. */
  readonly memory = new TransferMemory<ArrayBufferLike>(
    { arrays: keptResults },
    (byteLength) => new SharedArrayBuffer(byteLength),
  );
  /** Estimates how long answers take. */
  readonly deadlines = new DeadlineEstimator();
  /** The same for the outputs of microbatches, where a loss over pairs needs them first. */
  readonly outputDeadlines = new DeadlineEstimator();
  readonly strikes = new Strikes<Member>();
  /** What this process's line carries, of all workers together. */
  readonly line: Line = { received: new LinePace(), sent: new LinePace() };
  waiting: Waiting | null;
  private readonly banned = new Map<string, string>();

  /** @param minWorkers work is only handed out when at least this many workers may get some */
  constructor(
    readonly minWorkers = 1,
    private readonly clock: Clock = systemClock,
  ) {
    super();
    this.waiting = { present: 0, needed: minWorkers, since: clock.date() };
    // Each piece of running work adds a listener, and so do steps whose late answers are still expected.
    this.setMaxListeners(0);
  }

  /** A request number that no other encode job has. */
  nextRequest(): number {
    return ++this.lastRequest;
  }

  /** A number that no other member of the term has. */
  nextNumber(): number {
    return ++this.lastNumber;
  }

  freeSlot(): number {
    let slot = 0;
    while (this.members.has(slot)) slot++;
    return slot;
  }

  add(member: Member): void {
    this.members.set(member.slot, member);
  }

  admit(member: Member): void {
    member.moveTo('ready');
    this.gather();
    this.emit('ready', member);
  }

  /** Counts `pieces` of work given to (positive) or answered by (negative) a member. */
  account(member: Member, pieces: number): void {
    if (member.state === 'gone') return;
    member.outstanding = Math.max(0, member.outstanding + pieces);
    const state: MemberState = member.outstanding > 0 ? 'computing' : 'ready';
    if (member.state === 'draining') {
      if (member.outstanding === 0) this.removeDrained(member);
    } else if (state !== member.state) {
      member.moveTo(state);
    }
  }

  /** Records the totals of a member's heartbeat. */
  beaten(member: Member, heartbeat: Heartbeat__Output): void {
    const { tally } = member;
    const { peerBytesSent, peerBytesReceived } = tally;
    member.beaten(heartbeat);
    this.peerTraffic.sentBytes += Math.max(0, tally.peerBytesSent - peerBytesSent);
    this.peerTraffic.receivedBytes += Math.max(0, tally.peerBytesReceived - peerBytesReceived);
  }

  /** Records the cost of a member's answer. */
  answered(member: Member, figures: AnswerFigures): void {
    member.tally.answered(figures);
    this.answers.answered(figures);
  }

  /** Removes a member permanently; safe to call twice. */
  remove(member: Member, departure: Departure): void {
    if (member.state === 'gone') return;
    member.moveTo('gone');
    member.outbox.close();
    this.members.delete(member.slot);
    this.departed++;
    this.gather();
    this.emit('gone', member, departure);
  }

  /**
   * Removes a member whose answer is invalid. It gets the reason, and its work goes to other workers.
   * @param sentence what was wrong, naming the value and what was expected
   */
  rejectAnswer(member: Member, reason: RejectionReason, sentence: string): void {
    if (member.state === 'gone') return;
    this.emit('answerRejected', member, reason, sentence);
    member.stream.write({ term: this.term, refusal: { code: reason.toUpperCase(), message: sentence } });
    member.stream.end();
    this.remove(member, { reason: `its answer was rejected: ${sentence}`, failure: null });
  }

  /** Removes a member that has announced that it leaves and has handed back its work. */
  leave(member: Member, reason: string): void {
    this.beginDraining(member);
    this.remove(member, { reason: `it left: ${reason}`, failure: null });
  }

  /**
   * Ends one worker's membership when it has answered its work.
   * @param worker its slot or name
   * @returns false when there is no such worker
   */
  drain(worker: string): boolean {
    const member = this.all().find(({ slot, name }) => name === worker || String(slot) === worker);
    if (!member) return false;
    this.beginDraining(member);
    if (member.outstanding === 0) this.removeDrained(member);
    return true;
  }

  /** Removes a member for the rest of the run. Its process is not admitted again. */
  setAside(member: Member, fault: Fault, sentence: string): void {
    if (member.state === 'gone') return;
    this.banned.set(member.instanceId, sentence);
    this.beginDraining(member);
    this.emit('setAside', member, fault, sentence);
    member.stream.write({ term: this.term, refusal: { code: 'SET_ASIDE', message: sentence } });
    member.stream.end();
    this.remove(member, { reason: `it was set aside: ${sentence}`, failure: null });
  }

  /** Why a worker process was set aside; null when it was not. */
  whySetAside(instanceId: string): string | null {
    return this.banned.get(instanceId) ?? null;
  }

  private beginDraining(member: Member): void {
    if (member.state !== 'ready' && member.state !== 'computing') return;
    member.moveTo('draining');
    this.gather();
  }

  private removeDrained(member: Member): void {
    const reason = 'it was drained';
    void member.outbox.send({ term: this.term, finish: { reason } }).then(() => {
      member.stream.end();
      this.remove(member, { reason, failure: null });
    });
  }

  /** Updates `waiting` when the number of workers changes. */
  private gather(): void {
    const present = this.admitted().length;
    const wasWaiting = this.waiting;
    if (present >= this.minWorkers) this.waiting = null;
    else {
      this.waiting = { present, needed: this.minWorkers, since: wasWaiting?.since ?? this.clock.date() };
    }
    if (this.waiting !== null || wasWaiting !== null) this.emit('gathering', this.waiting);
  }

  /** Every member that is not gone, by slot. */
  all(): Member[] {
    return [...this.members.values()].sort((a, b) => a.slot - b.slot);
  }

  /** The member with a number, unless it is gone. */
  byNumber(number: number): Member | undefined {
    return this.all().find((member) => member.number === number);
  }

  /** Members that may get work, by slot. */
  admitted(): Member[] {
    return this.all().filter(({ state }) => state === 'ready' || state === 'computing');
  }

  /** Members that get none of so many microbatches, because the devices of those before them are enough. */
  beyond(microbatches: number): Member[] {
    let devices = 0;
    return this.admitted().filter(({ capacity }) => {
      const before = devices;
      devices += capacity;
      return before >= microbatches;
    });
  }

  /**
   * Members to give gradient work to, by slot; none while there are too few. Workers that are late or still receive
   * their first weights are excluded while there are others.
   */
  available(): Member[] {
    if (this.waiting !== null) return [];
    const admitted = this.admitted();
    const prompt = admitted.filter(({ overdue, isReceiving }) => overdue === 0 && !isReceiving);
    return prompt.length > 0 ? prompt : admitted;
  }

  count(state: MemberState): number {
    return state === 'gone' ? this.departed : this.all().filter((member) => member.state === state).length;
  }
}
