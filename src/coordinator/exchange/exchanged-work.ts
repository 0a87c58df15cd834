import type { Clock } from '../../clock.js';
import { unpackMoments } from '../../model/packed-moments.js';
import {
  mergeOutcomes,
  type NodeOutcome,
  type NodePayload,
  outcomeOf,
  outcomeShape,
  payloadBytes,
  payloadFrom,
} from '../../reduction/payload.js';
import { StepReduction } from '../../reduction/step-reduction.js';
import { nodeKey, type TreeNode } from '../../reduction/tree.js';
import { bytesOf } from '../../transport/bytes.js';
import type { NodeResult__Output } from '../../transport/generated/fcaenet/v1/NodeResult.js';
import type { RangeResult__Output } from '../../transport/generated/fcaenet/v1/RangeResult.js';
import { wireBytes, wireVector } from '../../transport/wire-vector.js';
import { GradientWork, type NodeAnswer, type StepSum, type UpdatingStep } from '../dispatch/gradient-work.js';
import type { Member } from '../dispatch/member.js';
import { sendContext } from '../dispatch/outgoing-weights.js';
import type { Candidate, Rejection, UnitDigest } from '../dispatch/redundant-work.js';
import { exchangedBlocks } from './exchanged-vector.js';
import { canTakePart, type Participants } from './participants.js';
import { RangeChecks } from './range-checks.js';
import { type RangeSum, RangeSums } from './range-sums.js';
import { type ElementRange, type MemberRange, rangesOfBlocks, rangesOfOwners } from './ranges.js';
import type { WeightsDistribution } from './weights-distribution.js';

/** A node whose gradient a member keeps. */
interface HeldNode {
  readonly node: TreeNode;
  readonly member: Member;
  readonly outcome: NodeOutcome;
}

/** What the work tells its surroundings. */
export interface ExchangeListener {
  /** A node was lost, or a sum arrived. */
  onChange(): void;
  /** The exchange cannot give a right sum. */
  giveUp(reason: string): void;
  /** Several members have added one range. */
  compared(range: ElementRange, outcome: 'agreed' | 'contradiction'): void;
  /** The run cannot go on. */
  failed(error: Error): void;
}

/** Gradient work whose gradients stay with the workers, which sum them among themselves. */
export class ExchangedWork extends GradientWork {
  sum: StepSum | null = null;
  private members: readonly Member[];
  private readonly held = new Map<string, HeldNode>();
  private readonly sums: RangeSums;
  /** Number of the last Reduce message of this step; 0 before the first. */
  private attempt = 0;
  /** Sums of attempts below have a wrong node in them. */
  private firstValidAttempt = 1;
  /** Whether the owners know which nodes to sum. */
  private isReducing = false;
  private readonly checks: RangeChecks;
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
    /** Whether the sum of a range is compared. */
    isCompared: () => boolean,
    release: () => void,
  ) {
    super(step, participants.pool, release);
    this.members = members;
    const { layout, precision } = step.shape;
    const { parameterCount } = layout;
    const wordBytes = wireBytes(precision, 1);
    const blocks = exchangedBlocks(layout, step.shape.passes, precision);
    const words = blocks.at(-1)!;
    const { buffer } = this.pool.memory.take(wordBytes * words);
    const ranges = [
      ...rangesOfOwners(parameterCount, members.length).map(({ range }) => range),
      ...rangesOfBlocks(blocks, members.length),
    ];
    this.sums = new RangeSums(
      ranges.map((range, place) => ({ range, owner: members[place % members.length]! })),
      wireVector(precision, buffer, 0, words),
      parameterCount,
      step,
      {
        computed: (sum, messages) => this.sendAhead(sum, messages),
        complete: () => {
          this.askForChecks();
          listener.onChange();
        },
        notFinite: (member) => listener.giveUp(`${member.label} sent a sum that is not finite`),
        failed: (error) => listener.failed(error),
      },
    );
    this.checks = new RangeChecks(this.sums.all.map(({ range }) => range).filter(isCompared));
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

  /** Whoever joins gets the next weights from its peers. These are sent only with work. */
  override prepare(member: Member): void {
    if (this.step.context) sendContext(member, this.step.context);
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
    const { gradient: _, ...outcome } = outcomeOf(payload);
    const node = answer.result.node!;
    this.held.set(nodeKey(node), { node, member, outcome });
    this.isReducing = false;
    this.reduceWhenCovered();
  }

  gone(member: Member): void {
    if (this.members.includes(member)) this.change(this.members.filter((each) => each !== member));
  }

  isWhole(): boolean {
    return this.sums.isWhole && this.checks.areOver;
  }

  isUsed(member: Member): boolean {
    return [...this.held.values()].some((each) => each.member === member);
  }

  /** The sums have a wrong node in them. */
  discard(members: readonly Member[]): void {
    this.drop(members);
    this.firstValidAttempt = this.attempt + 1;
    this.sums.restart();
    this.checks.restart();
    this.replaceOwners();
    this.distribution.spoil();
    this.tellPlan();
  }

  end(): void {
    this.isOver = true;
    this.sums.end();
    if (!this.isWhole() || this.missing().length > 0) return;
    const { tree, shape } = this.step;
    const { layout } = outcomeShape(shape);
    const reduction = new StepReduction<NodeOutcome>(tree, (left, right) =>
      mergeOutcomes(layout, left, right),
    );
    for (const { node, outcome } of this.held.values()) reduction.fill(node, outcome);
    const { gradient, moments } = this.sums;
    this.sum = {
      ...reduction.sum!,
      gradient,
      moments: unpackMoments(shape.layout, shape.passes, moments),
      gradientSha256: this.sums.gradientSha256!,
    };
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
    return !held || mayBeWhole ? whole : payloadBytes(outcomeShape(shape), rows.end - rows.start);
  }

  /** Exact bytes of an announced sum; `unknown` when the step has no such range. */
  bytesOfRange({ range }: RangeResult__Output): number | 'unknown' {
    const found = this.sums.find(range);
    return found ? wireBytes(this.step.shape.precision, found.range.end - found.range.start) : 'unknown';
  }

  /** Where the sum of a range is assembled: in the gradient, if it is wanted. */
  placeOf(member: Member, result: RangeResult__Output): Uint8Array | null {
    const found = this.wanted(member, result);
    return found && bytesOf(this.sums.valuesOf(found));
  }

  /**
   * Takes the sum of a range from its owner.
   * @param bytes in memory that threads share, unless they are in their place already
   * @returns resolves when they are not read any more
   */
  async takeRange(member: Member, result: RangeResult__Output, bytes: Uint8Array): Promise<void> {
    const found = this.wanted(member, result);
    if (found) {
      this.movedAtMs = this.clock.nowMs();
      await this.sums.take(member, found, bytes);
    } else this.compare(member, result, bytes);
  }

  /** Sums on their way from a member may be lost: it is asked for them again. */
  askAgain(member: Member): void {
    if (this.isOver || !this.open.some(({ owner }) => owner === member)) return;
    this.tellPlan();
    this.isReducing = false;
    this.reduceWhenCovered();
  }

  protected override isExchangedWith(member: Member): boolean {
    return this.members.includes(member);
  }

  protected override payloadOf({ result, bytes }: NodeAnswer): NodePayload {
    const { tree, shape } = this.step;
    const { start, end } = tree.rowsUnder(result.node!);
    const isWhole = bytes.byteLength === payloadBytes(shape, end - start);
    return payloadFrom(bytes, isWhole ? shape : outcomeShape(shape), end - start);
  }

  /** The range of a sum that is still to come from this member; null for any other. */
  private wanted(member: Member, { range, attempt }: RangeResult__Output): RangeSum | null {
    const found = this.sums.find(range);
    if (!found || this.isOver || found.isDone || found.computing || found.owner !== member) return null;
    return attempt < this.firstValidAttempt || attempt > this.attempt ? null : found;
  }

  /** Sends the next weights in a range while other ranges are still added. */
  private sendAhead({ range, owner }: RangeSum, messages: readonly Buffer[]): void {
    this.movedAtMs = this.clock.nowMs();
    const step = { members: this.members, plan: this.sums.plan };
    this.distribution.sendAhead(this.step.weights, step, { range, owner }, messages);
  }

  /** Members have come or gone. */
  private change(members: readonly Member[]): void {
    const gone = this.members.filter((member) => !members.includes(member));
    this.members = members;
    this.participants.tell(members);
    this.distribution.join(members);
    this.drop(gone);
    this.replaceOwners();
    if (this.sums.isWhole && !this.chooseCheckers()) return;
    this.tellPlan();
    this.reduceWhenCovered();
  }

  /** Ranges without a sum whose owner is gone get another one. */
  private replaceOwners(): void {
    const { members } = this;
    if (members.length === 0) return;
    const orphans = this.sums.open.filter(({ owner }) => !members.includes(owner));
    for (const [index, orphan] of orphans.entries()) orphan.owner = members[index % members.length]!;
  }

  private drop(members: readonly Member[]): void {
    this.isReducing = false;
    for (const [key, { member }] of this.held) if (members.includes(member)) this.held.delete(key);
  }

  /** What is still to be added: ranges without a sum, and those that are compared. */
  private get open(): readonly MemberRange[] {
    return [...this.sums.open, ...this.checks.plan];
  }

  /** Has some sums added again by others, now that all are there. */
  private askForChecks(): void {
    if (this.isOver || this.checks.areOver || !this.chooseCheckers()) return;
    if (this.checks.areOver) return;
    this.tellPlan();
    this.isReducing = false;
    this.reduceWhenCovered();
  }

  /** @returns false when the exchange is given up */
  private chooseCheckers(): boolean {
    const undecided = this.checks.ask(this.members, (range) => this.sums.find(range)!.owner);
    if (!undecided) return true;
    const { start, end } = undecided;
    this.listener.giveUp(
      `workers give different sums of elements ${start} to ${end}, and no further worker can decide`,
    );
    return false;
  }

  /** Compares a sum that was asked for again. */
  private compare(member: Member, result: RangeResult__Output, bytes: Uint8Array): void {
    const { range, attempt } = result;
    const sum = this.sums.find(range);
    if (!sum || this.isOver || attempt < this.firstValidAttempt || attempt > this.attempt) return;
    const { owner } = sum;
    const verdict = this.checks.take(member, result, bytes, {
      member: owner,
      bytes: bytesOf(this.sums.valuesOf(sum)),
    });
    if (!verdict) return;
    this.movedAtMs = this.clock.nowMs();
    this.listener.compared(sum.range, verdict.kind);
    if (verdict.kind === 'contradiction') this.askForChecks();
    else {
      // The owner's other sums may be as wrong, and its weights are on their way.
      if (verdict.wrong.includes(owner)) this.discard([owner]);
      const { start, end } = sum.range;
      for (const each of verdict.wrong) {
        const sentence = `its sum of elements ${start} to ${end} differs from those of two other workers`;
        this.pool.setAside(each, 'wrong', sentence);
      }
      // An owner that is gone already held nothing that is missing now.
      this.reduceWhenCovered();
    }
    this.listener.onChange();
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
