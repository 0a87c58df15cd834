import type { Clock } from '../../clock.js';
import {
  mergeOutcomes,
  type NodeOutcome,
  type NodePayload,
  outcomeBytes,
  outcomeFrom,
  payloadBytes,
} from '../../reduction/payload.js';
import { StepReduction } from '../../reduction/step-reduction.js';
import { nodeKey, type TreeNode } from '../../reduction/tree.js';
import { bytesOf } from '../../transport/bytes.js';
import type { NodeResult__Output } from '../../transport/generated/fcaenet/v1/NodeResult.js';
import type { RangeResult__Output } from '../../transport/generated/fcaenet/v1/RangeResult.js';
import { type WireVector, wireBytes, wireVector } from '../../transport/wire-vector.js';
import { GradientWork, type NodeAnswer, type StepSum, type UpdatingStep } from '../dispatch/gradient-work.js';
import type { Member } from '../dispatch/member.js';
import type { Candidate, Rejection, UnitDigest } from '../dispatch/redundant-work.js';
import type { Advanced } from '../lane/lane.js';
import { canTakePart, type Participants } from './participants.js';
import { type ElementRange, rangesOfOwners } from './ranges.js';
import type { WeightsDistribution } from './weights-distribution.js';

/** A node whose gradient a member keeps. */
interface HeldNode {
  readonly node: TreeNode;
  readonly member: Member;
  readonly outcome: NodeOutcome;
}

/** A part of the gradient, and who sums it. */
interface RangeSum {
  readonly range: ElementRange;
  owner: Member;
  /** The sum is here, and the next weights are computed. */
  isDone: boolean;
  /** Identifies the sum that is here while the next weights are computed; else null. */
  computing: object | null;
}

/** What the work tells its surroundings. */
export interface ExchangeListener {
  /** A node was lost, or a sum arrived. */
  onChange(): void;
  /** The exchange cannot give a right sum. */
  giveUp(reason: string): void;
  /** The run cannot go on. */
  failed(error: Error): void;
}

/** Gradient work whose gradients stay with the workers, which sum them among themselves. */
export class ExchangedWork extends GradientWork {
  sum: StepSum | null = null;
  private members: readonly Member[];
  private readonly held = new Map<string, HeldNode>();
  private readonly sums: RangeSum[];
  private readonly gradient: WireVector;
  /** Members that were asked for a leaf and are still there. */
  private readonly asked = new Map<number, Set<Member>>();
  /** Number of the last Reduce message of this step; 0 before the first. */
  private attempt = 0;
  /** Sums of attempts below have a wrong node in them. */
  private firstValidAttempt = 1;
  /** Whether the owners know which nodes to sum. */
  private isReducing = false;
  /** Sums that the digest covers, and the digest when it covers all. */
  private hashed = 0;
  private gradientSha256: string | null = null;
  isOver = false;
  /** When the last sum arrived, or was asked for. */
  private movedAtMs = 0;

  constructor(
    protected override readonly step: UpdatingStep,
    private readonly participants: Participants,
    private readonly distribution: Pick<WeightsDistribution, 'sendAhead' | 'join' | 'spoil'>,
    members: readonly Member[],
    private readonly clock: Pick<Clock, 'nowMs'>,
    private readonly listener: ExchangeListener,
    release: () => void,
  ) {
    super(step, participants.pool, release);
    this.members = members;
    const { layout, precision } = step.shape;
    const { parameterCount } = layout;
    const { buffer } = this.pool.memory.take(wireBytes(precision, parameterCount));
    this.gradient = wireVector(precision, buffer, 0, parameterCount);
    const ranges = rangesOfOwners(parameterCount, wireBytes(precision, 1), members.length);
    this.sums = ranges.map(({ range, owner }) => ({
      range,
      owner: members[owner]!,
      isDone: false,
      computing: null,
    }));
    this.tellPlan();
  }

  missing(): readonly number[] {
    const covered = new Set([...this.held.values()].flatMap(({ node }) => this.step.tree.leavesUnder(node)));
    return this.step.tree.leaves.filter((leaf) => !covered.has(leaf));
  }

  /** Only to members that take part; all that may work take part when none of those can. */
  override assign(
    leaves: readonly number[],
    candidates: readonly Candidate[],
  ): { member: Member; units: number[] }[] {
    if (!candidates.some(({ member }) => this.members.includes(member))) {
      const more = candidates.map(({ member }) => member);
      if (!more.every(canTakePart)) {
        this.listener.giveUp('the workers that are left cannot take part');
        return [];
      }
      this.change([...this.members, ...more]);
    }
    return super.assign(
      leaves,
      candidates.filter(({ member }) => this.members.includes(member)),
    );
  }

  override send(member: Member, leaves: readonly number[]): void {
    super.send(member, leaves);
    for (const leaf of leaves) this.asked.set(leaf, (this.asked.get(leaf) ?? new Set()).add(member));
  }

  /** Only of a microbatch that came whole can this process compute the digest. */
  override digestsOf(
    leaves: readonly number[],
    answer: NodeAnswer,
    isCompared: (leaf: number) => boolean,
  ): readonly UnitDigest[] | Rejection {
    const isWhole = this.payloadOf(answer).gradient.length > 0;
    return super.digestsOf(leaves, answer, (leaf) => isWhole && isCompared(leaf));
  }

  take(member: Member, leaves: readonly number[], answer: NodeAnswer): void {
    const payload = this.payloadOf(answer);
    if (leaves.length === 1 && payload.gradient.length > 0) this.step.onLeaf?.(leaves[0]!, payload);
    const missing = new Set(this.missing());
    const isHeld = answer.result.held && this.members.includes(member);
    // Of a gradient that its worker does not hold only the digest is of use.
    if (!isHeld || !leaves.some((leaf) => missing.has(leaf))) return;
    for (const [key, { node }] of this.held) {
      if (this.step.tree.leavesUnder(node).every((leaf) => leaves.includes(leaf))) this.held.delete(key);
    }
    const { gradient, ...outcome } = payload;
    const node = answer.result.node!;
    this.held.set(nodeKey(node), { node, member, outcome });
    this.isReducing = false;
    this.reduceWhenCovered();
  }

  gone(member: Member): void {
    for (const members of this.asked.values()) members.delete(member);
    if (this.members.includes(member)) this.change(this.members.filter((each) => each !== member));
  }

  isWhole(): boolean {
    return this.gradientSha256 !== null;
  }

  isUsed(member: Member): boolean {
    return [...this.held.values()].some((each) => each.member === member);
  }

  /** The sums have a wrong node in them. */
  discard(members: readonly Member[]): void {
    this.drop(members);
    this.firstValidAttempt = this.attempt + 1;
    for (const each of this.sums) {
      each.isDone = false;
      each.computing = null;
    }
    this.hashed = 0;
    this.gradientSha256 = null;
    this.distribution.spoil();
    this.tellPlan();
  }

  end(): void {
    this.isOver = true;
    if (!this.isWhole() || this.missing().length > 0) return;
    const { tree, shape } = this.step;
    const reduction = new StepReduction<NodeOutcome>(tree, (left, right) =>
      mergeOutcomes(shape.layout, left, right),
    );
    for (const { node, outcome } of this.held.values()) reduction.fill(node, outcome);
    this.sum = { gradient: this.gradient, gradientSha256: this.gradientSha256!, ...reduction.sum! };
  }

  /** Milliseconds for which the owners of ranges have sent nothing that they were asked for. */
  get stalledMs(): number {
    return this.isReducing && !this.isWhole() ? this.clock.nowMs() - this.movedAtMs : 0;
  }

  /** Exact bytes of an announced answer. Of a microbatch that came alone the gradient may be there. */
  bytesOfNode({ node, transfer, held }: NodeResult__Output): number {
    const { tree, shape } = this.step;
    const rows = tree.rowsUnder(node!);
    const whole = payloadBytes(shape, rows.end - rows.start);
    const mayBeWhole = tree.leavesUnder(node!).length === 1 && transfer?.byteLength === whole;
    return !held || mayBeWhole ? whole : outcomeBytes(shape, rows.end - rows.start);
  }

  /** Exact bytes of an announced sum; `unknown` when the step has no such range. */
  bytesOfRange({ range }: RangeResult__Output): number | 'unknown' {
    const found = this.sums.find((each) => isSame(each.range, range));
    return found ? wireBytes(this.step.shape.precision, found.range.end - found.range.start) : 'unknown';
  }

  /** Where the sum of a range is assembled: in the gradient, if it is wanted. */
  placeOf(member: Member, result: RangeResult__Output): Uint8Array | null {
    const found = this.wanted(member, result);
    return found && bytesOf(this.gradientOf(found));
  }

  /** Takes the sum of a range from its owner. */
  takeRange(member: Member, result: RangeResult__Output, bytes: Uint8Array): void {
    const found = this.wanted(member, result);
    const isInPlace = bytes.buffer === this.gradient.buffer;
    if (found) {
      if (!isInPlace) bytesOf(this.gradientOf(found)).set(bytes);
      this.compute(member, found);
    }
    if (!isInPlace) this.pool.memory.give(bytes.buffer);
  }

  protected override isExchangedWith(member: Member): boolean {
    return this.members.includes(member);
  }

  protected override payloadOf({ result, bytes }: NodeAnswer): NodePayload {
    const { tree, shape } = this.step;
    const { start, end } = tree.rowsUnder(result.node!);
    const isWhole = bytes.byteLength === payloadBytes(shape, end - start);
    return isWhole ? super.payloadOf({ result, bytes }) : outcomeFrom(bytes, shape, end - start);
  }

  /** A leaf that several workers compute is sent whole by those that are asked later, so that it can be compared. */
  protected override goesAlone(leaf: number): boolean {
    return super.goesAlone(leaf) || (this.asked.get(leaf)?.size ?? 0) > 0;
  }

  /** The range of a sum that is still to come from this member; null for any other. */
  private wanted(member: Member, { range, attempt }: RangeResult__Output): RangeSum | null {
    const found = this.sums.find((each) => isSame(each.range, range));
    if (!found || this.isOver || found.isDone || found.computing || found.owner !== member) return null;
    return attempt < this.firstValidAttempt || attempt > this.attempt ? null : found;
  }

  private gradientOf({ range }: RangeSum): WireVector {
    return this.gradient.subarray(range.start, range.end);
  }

  /** Computes the next weights in a range, and sends them while other ranges are still added. */
  private compute(member: Member, sum: RangeSum): void {
    const { update, weights } = this.step;
    const computing = {};
    sum.computing = computing;
    this.movedAtMs = this.clock.nowMs();
    update.advance(sum.range.start, this.gradientOf(sum), weights.following(sum.range)).then(
      (advanced) => {
        if (!this.isOver && sum.computing === computing) this.computed(member, sum, advanced);
      },
      (error) => this.listener.failed(error),
    );
  }

  private computed(member: Member, sum: RangeSum, messages: Advanced): void {
    sum.computing = null;
    if (messages === null) {
      this.listener.giveUp(`${member.label} sent a sum that is not finite`);
      return;
    }
    sum.isDone = true;
    this.movedAtMs = this.clock.nowMs();
    this.hashSums();
    const { range, owner } = sum;
    const step = { members: this.members, plan: this.sums };
    this.distribution.sendAhead(this.step.weights, step, { range, owner }, messages);
  }

  /** Hashes the gradient as far as it is there without a gap, while other ranges are still added. */
  private hashSums(): void {
    const { update } = this.step;
    const { firstValidAttempt, sums } = this;
    for (let next = sums[this.hashed]; next?.isDone; next = sums[++this.hashed]) {
      update.hash(this.gradientOf(next), this.hashed === 0);
    }
    if (this.hashed < sums.length) return;
    update.digest().then(
      (sha256) => {
        if (this.isOver || firstValidAttempt !== this.firstValidAttempt) return;
        this.gradientSha256 = sha256;
        this.listener.onChange();
      },
      (error) => this.listener.failed(error),
    );
  }

  /** Members have come or gone. Ranges without a sum whose owner is gone get another one. */
  private change(members: readonly Member[]): void {
    const gone = this.members.filter((member) => !members.includes(member));
    this.members = members;
    this.participants.tell(members);
    this.distribution.join(members);
    this.drop(gone);
    const orphans = this.sums.filter(({ isDone, owner }) => !isDone && !members.includes(owner));
    if (members.length > 0) {
      for (const [index, orphan] of orphans.entries()) orphan.owner = members[index % members.length]!;
    }
    this.tellPlan();
    this.reduceWhenCovered();
  }

  private drop(members: readonly Member[]): void {
    this.isReducing = false;
    for (const [key, { member }] of this.held) if (members.includes(member)) this.held.delete(key);
  }

  private get open(): readonly RangeSum[] {
    return this.sums.filter(({ isDone }) => !isDone);
  }

  private tellPlan(): void {
    const { position } = this.step;
    const ranges = this.open.map(({ range, owner }) => ({ range, owner: owner.number }));
    const message = this.participants.encode({ plan: { position, ranges } });
    for (const { outbox } of this.members) void outbox.send(message);
  }

  /** Names the nodes to the owners, when every microbatch is in one. */
  private reduceWhenCovered(): void {
    if (this.isReducing || this.isOver || this.missing().length > 0) return;
    this.isReducing = true;
    this.movedAtMs = this.clock.nowMs();
    this.attempt++;
    const { position, tree } = this.step;
    const nodes = [...this.held.values()].map(({ node, member }) => ({ node, member: member.number }));
    const message = this.participants.encode({
      reduce: {
        position,
        attempt: this.attempt,
        batchRows: tree.batchRows,
        microbatches: tree.microbatches,
        nodes,
      },
    });
    for (const owner of new Set(this.open.map((each) => each.owner))) void owner.outbox.send(message);
  }
}

function isSame(left: ElementRange, right: ElementRange | null): boolean {
  return left.start === right?.start && left.end === right.end;
}
