import { EventEmitter } from 'node:events';
import type { EncodeResult__Output } from '../transport/generated/fcaenet/v1/EncodeResult.js';
import type { NodeResult__Output } from '../transport/generated/fcaenet/v1/NodeResult.js';
import type { Member, MemberState } from './member.js';

/** Why a member left, as a sentence for the log, and whether bad input on its side caused it. */
export interface Departure {
  readonly reason: string;
  /** Exit code of the failure that the worker reported, or null when it just vanished. */
  readonly failure: { readonly code: string; readonly exitCode: number } | null;
}

/** Why an answer was not taken. */
export type Refusal = 'bad_message' | 'damaged' | 'unknown_node' | 'wrong_length' | 'non_finite';

interface PoolEvents {
  ready: [member: Member];
  gone: [member: Member, departure: Departure];
  refused: [member: Member, refusal: Refusal, sentence: string];
  node: [member: Member, result: NodeResult__Output, bytes: Uint8Array];
  encoded: [member: Member, result: EncodeResult__Output, bytes: Uint8Array];
  change: [];
}

/** How long the answers may be that the work in progress expects. */
export interface ResultBounds {
  /** Exact bytes of a node's payload; null for a late answer to earlier work; `unknown` for no node of the work. */
  node(result: NodeResult__Output): number | null | 'unknown';
  /** Most bytes of any node's payload, for late answers to earlier steps. */
  readonly mostNodeBytes: number;
  encoded(result: EncodeResult__Output): number | null;
  readonly mostEncodedBytes: number;
}

/**
 * The workers of a run, by slot. The server puts them in and passes on what they send; whoever runs work listens
 * for `ready`, `gone` and results. A slot is the smallest free number, so labels stay few.
 */
export class WorkerPool extends EventEmitter<PoolEvents> {
  private readonly members = new Map<number, Member>();
  /** Members that left, over the whole run. */
  departed = 0;
  /** The coordinator's leadership term; set by the server. */
  term = 0;
  bounds: ResultBounds = { node: () => null, mostNodeBytes: 0, encoded: () => null, mostEncodedBytes: 0 };

  constructor() {
    super();
    // Each piece of work in progress listens for itself.
    this.setMaxListeners(32);
  }

  freeSlot(): number {
    let slot = 0;
    while (this.members.has(slot)) slot++;
    return slot;
  }

  add(member: Member): void {
    this.members.set(member.slot, member);
    this.emit('change');
  }

  admit(member: Member): void {
    member.state = 'ready';
    this.emit('change');
    this.emit('ready', member);
  }

  /** Counts `pieces` of work given to (positive) or answered by (negative) a member. */
  account(member: Member, pieces: number): void {
    if (member.state === 'gone') return;
    member.outstanding = Math.max(0, member.outstanding + pieces);
    const state: MemberState = member.outstanding > 0 ? 'computing' : 'ready';
    if (state !== member.state) {
      member.state = state;
      this.emit('change');
    }
  }

  /** Takes a member out for good; safe to call twice. */
  remove(member: Member, departure: Departure): void {
    if (member.state === 'gone') return;
    member.state = 'gone';
    member.outbox.close();
    this.members.delete(member.slot);
    this.departed++;
    this.emit('change');
    this.emit('gone', member, departure);
  }

  /**
   * Takes out a member whose answer cannot be true: it is told why, and its work goes to others.
   * @param sentence what was wrong, naming the value and what was expected
   */
  refuse(member: Member, refusal: Refusal, sentence: string): void {
    if (member.state === 'gone') return;
    this.emit('refused', member, refusal, sentence);
    member.stream.write({ term: this.term, refusal: { code: refusal.toUpperCase(), message: sentence } });
    member.stream.end();
    this.remove(member, { reason: `its answer was refused: ${sentence}`, failure: null });
  }

  /** Every member that is not gone, by slot. */
  all(): Member[] {
    return [...this.members.values()].sort((a, b) => a.slot - b.slot);
  }

  /** Members that may be given work, by slot. */
  admitted(): Member[] {
    return this.all().filter((member) => member.state !== 'joining');
  }

  count(state: MemberState): number {
    return state === 'gone' ? this.departed : this.all().filter((member) => member.state === state).length;
  }
}
