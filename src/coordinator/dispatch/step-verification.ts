import type { LeafDigest__Output } from '../../transport/generated/fcaenet/v1/LeafDigest.js';
import { CoordinatorError } from '../error.js';
import type { GradientStep, StepObserver } from './gradient-step.js';
import { LeafWitnesses } from './leaf-witnesses.js';
import type { Member } from './member.js';
import type { WorkerPool } from './pool.js';

/** What verification needs of the step that it watches. */
export interface VerifiedStep {
  hand(leaf: number, member: Member): void;
  owes(member: Member, leaf: number): boolean;
  isOwed(leaf: number): boolean;
  /** Whether an answer of the member is part of the sum. */
  isUsed(member: Member): boolean;
  /** Throws away what the sum holds so far; it is computed again. */
  discard(): void;
  fail(error: CoordinatorError): void;
}

/**
 * Compares what several workers say of the same microbatch of one step: those chosen to be computed twice, and those
 * that went out again because a worker was late. Where two differ, a third decides, and the odd one is set aside.
 */
export class StepVerification {
  private readonly witnesses = new LeafWitnesses<Member>();
  /** Leaves whose comparison the step waits for, and the worker that was asked in addition. */
  private readonly asked = new Map<number, Member>();
  /** Leaves about which workers contradict each other. */
  private readonly contested = new Set<number>();

  constructor(
    private readonly step: GradientStep,
    private readonly pool: WorkerPool,
    private readonly observer: StepObserver,
    private readonly inStep: VerifiedStep,
  ) {}

  /** Asks second workers for the leaves to verify; where there is none, they go unverified. */
  begin(): void {
    for (const leaf of this.step.verified) this.ask(leaf);
  }

  /** Whether the step may use its sum. */
  get isSettled(): boolean {
    return this.asked.size === 0 && this.contested.size === 0;
  }

  /** Whether what this worker says of the leaf will be compared with what others said. */
  isInQuestion(leaf: number, member: Member): boolean {
    return this.asked.has(leaf) || this.contested.has(leaf) || this.witnesses.othersStated(leaf, member);
  }

  /** A worker that was asked is gone or late: others are asked instead. */
  replace(member: Member): void {
    for (const [leaf, asked] of [...this.asked]) {
      if (asked !== member) continue;
      this.asked.delete(leaf);
      if (!this.ask(leaf) && this.contested.has(leaf)) this.giveUp(leaf);
    }
  }

  /**
   * Takes what a worker says of its leaves.
   * @param isOver whether the sum is in use already
   */
  hear(member: Member, digests: readonly LeafDigest__Output[], isOver: boolean): void {
    for (const { index, sha256 } of digests) {
      this.witnesses.state(index, member, sha256.toString('hex'));
      if (this.asked.get(index) === member) this.asked.delete(index);
      this.judge(index, isOver);
    }
  }

  private judge(leaf: number, isOver: boolean): void {
    const verdict = this.witnesses.verdict(leaf);
    if (verdict.kind === 'alone') return;
    if (verdict.kind === 'agreed') {
      this.observer.compared(leaf, 'agreed');
      return;
    }
    if (!this.contested.has(leaf)) this.observer.compared(leaf, 'contradiction');
    // Workers of different numerical identities may differ.
    if (!this.step.strict) return;
    this.contested.add(leaf);
    if (verdict.kind === 'decided') {
      this.contested.delete(leaf);
      this.asked.delete(leaf);
      const used = verdict.odd.some((member) => this.inStep.isUsed(member));
      if (used && isOver) this.pool.contradiction = this.contradiction(leaf);
      // Before anyone hears that a worker is gone: a wrong answer cannot be taken out of a sum.
      else if (used) this.inStep.discard();
      for (const member of verdict.odd) {
        this.witnesses.forget(member);
        this.pool.setAside(member, 'wrong', `of ${this.name(leaf)} it computed what no other worker did`);
      }
      return;
    }
    if (isOver) this.pool.contradiction = this.contradiction(leaf);
    else if (!this.asked.has(leaf) && !this.ask(leaf)) this.giveUp(leaf);
  }

  /** Asks one more worker for a leaf; false where there is none that was not asked before. */
  private ask(leaf: number): boolean {
    const other = this.pool
      .available()
      .find((member) => !this.inStep.owes(member, leaf) && !this.witnesses.hasStated(leaf, member));
    if (!other) return false;
    this.asked.set(leaf, other);
    this.inStep.hand(leaf, other);
    return true;
  }

  private giveUp(leaf: number): void {
    // Whoever still owes it, however late, may decide.
    if (!this.inStep.isOwed(leaf)) this.inStep.fail(this.contradiction(leaf));
  }

  private contradiction(leaf: number): CoordinatorError {
    return new CoordinatorError(
      'COORDINATOR_CONTRADICTION',
      `workers computed different gradients of ${this.name(leaf)} and no further worker could decide between them; the last checkpoint is older, and resuming goes on from it`,
    );
  }

  private name(leaf: number): string {
    const { iteration, epoch, step } = this.step.position;
    return `microbatch ${leaf} of iteration ${iteration + 1}, epoch ${epoch + 1}, step ${step + 1}`;
  }
}
