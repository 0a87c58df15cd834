import {
  mergePayloads,
  type NodePayload,
  nonFinitePart,
  type PayloadShape,
  payloadBytes,
  payloadFrom,
  receivedDigest,
} from '../../reduction/payload.js';
import { StepReduction } from '../../reduction/step-reduction.js';
import type { ReductionTree } from '../../reduction/tree.js';
import { assignLeaves } from '../../schedule/assignment.js';
import type { Leaf } from '../../transport/generated/fcaenet/v1/Leaf.js';
import type { LeafDigest__Output } from '../../transport/generated/fcaenet/v1/LeafDigest.js';
import type { NodeResult__Output } from '../../transport/generated/fcaenet/v1/NodeResult.js';
import type { Position } from '../../transport/generated/fcaenet/v1/Position.js';
import { LeafShares } from './leaf-shares.js';
import type { Member } from './member.js';
import { type IterationMessage, type OutgoingWeights, sendContext } from './outgoing-weights.js';
import type { Departure, WorkerPool } from './pool.js';
import { sendGradientWork } from './send-gradient-work.js';
import { StepVerification } from './step-verification.js';
import { Strikes } from './strikes.js';

/** How often deadlines are looked at. */
const lookMs = 100;

/** Everything about one step that does not depend on who computes it. */
export interface GradientStep {
  readonly term: number;
  readonly position: Required<Position>;
  readonly tree: ReductionTree;
  readonly shape: PayloadShape;
  /** Rows of a full batch, which bounds late answers to earlier steps. */
  readonly mostRows: number;
  readonly weights: OutgoingWeights;
  readonly context: IterationMessage;
  /** Present leaves to compute twice and compare. */
  readonly verified: readonly number[];
  /** Whether answers that contradict each other end the run where nobody can decide. */
  readonly strict: boolean;
  /** The work of one present leaf. */
  leaf(index: number): Leaf;
  /** Images of the next step's rows that would fall to the same leaves; null after the last step. */
  upcoming(leaves: readonly number[]): UpcomingImages | null;
}

/** What a worker will be asked for next. */
export interface UpcomingImages {
  readonly position: Required<Position>;
  /** Anchors, then as many positives where the method has any, as uint32 bytes. */
  readonly images: Uint8Array;
}

/** What the step tells its surroundings, for logs and metrics. */
export interface StepObserver {
  /** Leaves went out again because their worker left. */
  redispatched(leaves: number, departure: Departure): void;
  /** Leaves were not answered in time and went out a second time. */
  overdue(member: Member, leaves: number): void;
  /** A leaf was computed by more than one worker. */
  compared(leaf: number, outcome: 'agreed' | 'contradiction'): void;
  /** Too few workers are there; called each time the step has to wait. */
  waiting(): void;
}

/**
 * Computes one step's summed gradient on whatever workers there are: hands out the microbatches, sums what comes
 * back in tree order, hands the microbatches of a worker that leaves to the others, and those of a straggler a second
 * time. The first answer counts; later ones are compared with it.
 * @returns the sum over the whole batch, whose gradient's buffer is the pool's memory; rejects with the signal's reason when aborted
 * @throws CoordinatorError COORDINATOR_CONTRADICTION when workers contradict each other and nobody can decide
 */
export function runGradientStep(
  pool: WorkerPool,
  step: GradientStep,
  observer: StepObserver,
  signal: AbortSignal,
): Promise<NodePayload> {
  return new StepInProgress(pool, step, observer, signal).run();
}

class StepInProgress {
  private reduction!: StepReduction<NodePayload>;
  private readonly shares = new LeafShares<Member>();
  private readonly verification: StepVerification;
  /** Members whose answers are part of the sum. */
  private readonly contributors = new Set<Member>();
  private readonly watch: NodeJS.Timeout;
  private settle!: { resolve: (sum: NodePayload) => void; reject: (error: unknown) => void };
  private isOver = false;

  constructor(
    private readonly pool: WorkerPool,
    private readonly step: GradientStep,
    private readonly observer: StepObserver,
    private readonly signal: AbortSignal,
  ) {
    this.verification = new StepVerification(step, pool, observer, {
      hand: (leaf, member) => this.hand(member, [leaf]),
      owes: (member, leaf) => this.shares.owes(member, leaf),
      isOwed: (leaf) => this.shares.isOwed(leaf),
      isUsed: (member) => this.contributors.has(member),
      discard: () => this.begin(),
      fail: (error) => this.end(() => this.settle.reject(error)),
    });
    this.watch = setInterval(() => this.expire(), lookMs);
    this.begin();
  }

  run(): Promise<NodePayload> {
    const { pool, signal } = this;
    return new Promise((resolve, reject) => {
      this.settle = { resolve, reject };
      pool.on('node', this.onNode);
      pool.on('gone', this.onGone);
      pool.on('ready', this.onReady);
      pool.on('gathering', this.dispatchUnassigned);
      signal.addEventListener('abort', this.onAbort, { once: true });
      if (signal.aborted) this.onAbort();
      else if (pool.contradiction) this.end(() => reject(pool.contradiction));
      else {
        this.setBounds();
        this.dispatch(this.step.tree.leaves);
        this.verification.begin();
      }
    });
  }

  private begin(): void {
    const { tree, shape } = this.step;
    this.contributors.clear();
    this.reduction = new StepReduction<NodePayload>(tree, (left, right) => {
      const sum = mergePayloads(shape.layout, left, right);
      this.pool.memory.give(right.gradient.buffer);
      return sum;
    });
  }

  private dispatch(leaves: readonly number[]): void {
    const workers = this.pool.available();
    if (workers.length === 0) {
      this.observer.waiting();
      return;
    }
    const free = workers.filter((worker) => !leaves.some((leaf) => this.shares.owes(worker, leaf)));
    if (free.length > 0) {
      for (const { worker, leaves: share } of assignLeaves(leaves, free)) this.hand(worker, share);
      return;
    }
    // Each worker owes some of them already; none is asked for the same one twice.
    for (const leaf of leaves) {
      const other = workers.find((worker) => !this.shares.owes(worker, leaf));
      if (other) this.hand(other, [leaf]);
    }
  }

  private hand(worker: Member, leaves: readonly number[]): void {
    // What is to be compared comes alone, so that this process can see for itself what was computed.
    const { verified } = this.step;
    for (const leaf of leaves) if (verified.includes(leaf)) sendGradientWork(worker, this.step, [leaf]);
    const others = leaves.filter((leaf) => !verified.includes(leaf));
    if (others.length > 0) sendGradientWork(worker, this.step, others);
    // The weights were encoded meanwhile, where they were not before: its time begins now.
    this.shares.give(worker, leaves, nowSeconds());
    this.pool.account(worker, leaves.length);
  }

  /** Hands out the leaves that nobody owes in time and no answer has covered. */
  private readonly dispatchUnassigned = (): void => {
    if (this.isOver) return;
    const leaves = this.reduction.missingLeaves().filter((leaf) => !this.shares.isInTime(leaf));
    if (leaves.length > 0) this.dispatch(leaves);
  };

  private readonly onNode = (member: Member, result: NodeResult__Output, bytes: Uint8Array): void => {
    if (!this.isOfThisStep(result)) return;
    const node = result.node!;
    const { tree } = this.step;
    const leaves = tree.contains(node) ? tree.leavesUnder(node) : [];
    const digests = this.digestsOf(member, result, leaves, bytes);
    if (!digests) return;
    if (!this.isOver && !this.take(member, result, bytes)) return;
    const { owed, late, seconds } = this.shares.answer(member, leaves, nowSeconds());
    if (owed > 0 && late === 0) this.pool.deadlines.observe(seconds / owed);
    const { computeSeconds, imageWaitSeconds } = result;
    this.pool.answered(member, {
      microbatches: owed,
      turnaroundSeconds: seconds,
      computeSeconds,
      imageWaitSeconds,
    });
    member.overdue -= late;
    this.pool.account(member, -owed);
    this.verification.hear(member, digests, this.isOver);
    this.finishWhenWhole();
  };

  /**
   * What the member computed, by leaf. A leaf that came alone and is compared, or will be where another worker owes it
   * too, is hashed here, before a sum reuses its memory; of leaves that were summed under way there is only the worker's
   * word.
   * @returns null when its word is not what came, and it was refused
   */
  private digestsOf(
    member: Member,
    { leafDigests, node }: NodeResult__Output,
    leaves: readonly number[],
    bytes: Uint8Array,
  ): LeafDigest__Output[] | null {
    const { verified } = this.step;
    if (leaves.length > 1) {
      const compared = leaves.find((leaf) => verified.includes(leaf));
      if (compared === undefined) return leafDigests;
      const sentence = `microbatch ${compared} is compared and must come alone, but came in node ${node!.level}/${node!.index}`;
      this.pool.refuse(member, 'bad_message', sentence);
      return null;
    }
    const leaf = leaves[0]!;
    const isCompared =
      verified.includes(leaf) ||
      this.verification.isInQuestion(leaf, member) ||
      this.shares.isOwedByOthers(member, leaf);
    if (!isCompared) return [];
    const sha256 = receivedDigest(bytes);
    const claimed = leafDigests.find(({ index }) => index === leaf)?.sha256;
    if (claimed && !sha256.equals(claimed)) {
      const [said, found] = [claimed, sha256].map((digest) => `${digest.toString('hex').slice(0, 12)}…`);
      this.pool.refuse(
        member,
        'wrong_digest',
        `microbatch ${leaf} came with digest ${said}, but what came has ${found}`,
      );
      return null;
    }
    return [{ index: leaf, sha256 }];
  }

  /** Puts an answer into the sum; false when it cannot be true, and its worker was refused. */
  private take(member: Member, result: NodeResult__Output, bytes: Uint8Array): boolean {
    const { tree, shape } = this.step;
    const node = result.node!;
    const rows = tree.rowsUnder(node);
    const payload = payloadFrom(bytes, shape, rows.end - rows.start);
    const bad = nonFinitePart(payload);
    if (bad) {
      this.pool.refuse(
        member,
        'non_finite',
        `node ${node.level}/${node.index} holds ${bad} that are not finite numbers`,
      );
      return false;
    }
    if (this.reduction.fill(node, payload)) this.contributors.add(member);
    return true;
  }

  private finishWhenWhole(): void {
    const { sum } = this.reduction;
    if (!this.isOver && sum && this.verification.isSettled) this.end(() => this.settle.resolve(sum));
    if (this.isOver && this.shares.isEmpty) this.forget();
  }

  private readonly onGone = (member: Member, departure: Departure): void => {
    const lost = this.shares.drop(member).length;
    if (this.isOver) {
      if (this.shares.isEmpty) this.forget();
      return;
    }
    if (lost > 0) this.observer.redispatched(lost, departure);
    this.dispatchUnassigned();
    this.verification.replace(member);
    this.finishWhenWhole();
  };

  private readonly onReady = (member: Member): void => {
    if (this.isOver) return;
    // Ahead of its first work, while the others go on.
    member.isReceiving = true;
    sendContext(member, this.step.context);
    void this.step.weights.sendTo(member).then(() => {
      member.isReceiving = false;
    });
    this.dispatchUnassigned();
  };

  private readonly onAbort = (): void => this.end(() => this.settle.reject(this.signal.reason));

  /** Lets others compute too what is overdue. */
  private expire(): void {
    const { pool, shares } = this;
    const expired = shares.expire(nowSeconds(), (leaves) => pool.deadlines.secondsFor(leaves));
    for (const { worker, leaves } of expired) {
      worker.overdue += leaves.length;
      if (this.isOver) continue;
      const hasOthers = pool.admitted().some((other) => other !== worker && other.overdue === 0);
      if (!hasOthers) continue;
      worker.tally.overdueMicrobatches += leaves.length;
      this.observer.overdue(worker, leaves.length);
      if (pool.strikes.count(worker, nowSeconds())) {
        pool.setAside(worker, 'slow', `it missed ${Strikes.rule}`);
        continue;
      }
      this.dispatchUnassigned();
      this.verification.replace(worker);
    }
    this.finishWhenWhole();
  }

  /** Ends the step. Answers that are still to come are listened for, to know who is free and to compare them. */
  private end(settle: () => void): void {
    if (this.isOver) return;
    this.isOver = true;
    this.pool.off('ready', this.onReady);
    this.pool.off('gathering', this.dispatchUnassigned);
    this.signal.removeEventListener('abort', this.onAbort);
    // The sum's memory is not held for stragglers.
    this.begin();
    if (this.shares.isEmpty) this.forget();
    settle();
  }

  private forget(): void {
    clearInterval(this.watch);
    this.pool.off('node', this.onNode);
    this.pool.off('gone', this.onGone);
  }

  private isOfThisStep({ position, node }: NodeResult__Output): boolean {
    const { iteration, epoch, step } = this.step.position;
    return (
      node !== null && position?.iteration === iteration && position.epoch === epoch && position.step === step
    );
  }

  private setBounds(): void {
    const { tree, shape, mostRows } = this.step;
    this.pool.bounds = {
      ...this.pool.bounds,
      mostNodeBytes: payloadBytes(shape, mostRows),
      node: (result) => {
        if (!this.isOfThisStep(result)) return null;
        if (!tree.contains(result.node!) || tree.leavesUnder(result.node!).length === 0) return 'unknown';
        const rows = tree.rowsUnder(result.node!);
        return payloadBytes(shape, rows.end - rows.start);
      },
    };
  }
}

function nowSeconds(): number {
  return performance.now() / 1000;
}
