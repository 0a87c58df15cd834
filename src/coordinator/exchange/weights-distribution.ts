import type { WeightsMissing__Output } from '../../transport/generated/fcaenet/v1/WeightsMissing.js';
import type { Member } from '../dispatch/member.js';
import type { OutgoingWeights } from '../dispatch/outgoing-weights.js';
import type { Participants } from './participants.js';
import { type MemberRange, rangesOfOwners } from './ranges.js';

/** A plan, and who knows it. Who gets a range of a version that it does not know of waits for the plan. */
interface ToldPlan {
  readonly message: Buffer;
  readonly told: Set<Member>;
}

/** Weights of which some ranges were sent before their step was applied. */
interface Ahead extends ToldPlan {
  readonly version: number;
  readonly members: readonly Member[];
  readonly plan: readonly MemberRange[];
  readonly sent: Set<number>;
  /** What members lack because a peer that had to pass it on is gone. */
  readonly asked: { readonly member: Member; readonly missing: WeightsMissing__Output }[];
}

interface Distributed extends ToldPlan {
  readonly version: number;
  readonly members: readonly Member[];
  /** Who got which range here, and passes it on. */
  readonly plan: readonly MemberRange[];
  weights: OutgoingWeights | null;
}

/** Sends each participant parts of the weights, which it passes on to the others. */
export class WeightsDistribution {
  /** The last version, and who got it here. `weights` is null when they change. */
  private last: Distributed | null = null;
  private ahead: Ahead | null = null;
  /** A version of which ranges were sent that are wrong. It is not distributed. */
  private spoiled: number | null = null;

  constructor(private readonly participants: Participants) {
    participants.pool.on('weightsMissing', (member, missing) => this.complete(member, missing));
    participants.pool.on('rangesLost', (member) => this.sendAgain(member));
  }

  /**
   * Sends new weights. Does nothing where the star is used, and where some have these weights already: who lacks them
   * gets them with its work.
   */
  distribute(weights: OutgoingWeights): void {
    const { participants, ahead } = this;
    const { version } = weights;
    const members = participants.choose();
    this.ahead = null;
    if (
      !members ||
      version === this.spoiled ||
      members.some(({ weightsVersion }) => weightsVersion === version)
    ) {
      return;
    }
    participants.tell(members);
    if (ahead?.version === version) this.finish(ahead, weights, members);
    else {
      const owned = rangesOfOwners(weights.words, members.length);
      const plan = owned.map(({ range, owner }) => ({ range, owner: members[owner]! }));
      const told = this.planOf(version, plan);
      tell(told, members);
      for (const { range, owner } of plan) weights.sendRanges(owner, [range], true);
      this.hasSent(weights, members, plan, told);
    }
  }

  /**
   * Sends a range of the next weights before their step is applied. They are complete when they are distributed.
   * @param before the weights of the running step
   * @param step its members, and who has which range of its gradient
   * @param messages the range, encoded
   */
  sendAhead(
    before: OutgoingWeights,
    step: { readonly members: readonly Member[]; readonly plan: readonly MemberRange[] },
    { range, owner }: MemberRange,
    messages: readonly Buffer[],
  ): void {
    const version = before.version + 1;
    if (version === this.spoiled) return;
    if (this.ahead?.version !== version) {
      const { members } = step;
      // Owners may change later.
      const plan = step.plan.map((each) => ({ range: each.range, owner: each.owner }));
      // Behind the parameters there are the statistics, which are known when the step is applied.
      const rest = { range: { start: plan.at(-1)!.range.end, end: before.words }, owner: members[0]! };
      const whole = [...plan, rest];
      this.ahead = {
        version,
        members,
        plan: whole,
        sent: new Set(),
        asked: [],
        ...this.planOf(version, whole),
      };
    }
    tell(this.ahead, step.members);
    this.ahead.sent.add(range.start);
    owner.sendRange(messages);
  }

  /** Others pass ranges on to these members, too, from now on. */
  join(members: readonly Member[]): void {
    for (const each of [this.last, this.ahead]) if (each) tell(each, members);
  }

  /** What was sent ahead is wrong. It never becomes complete, and the star sends this version. */
  spoil(): void {
    if (!this.ahead) return;
    this.spoiled = this.ahead.version;
    this.ahead = null;
  }

  /** The weights that were distributed change now. */
  forget(): void {
    if (this.last) this.last.weights = null;
  }

  /**
   * Sends what is left of weights that were sent ahead. Members that have joined since then get the rest from their peers,
   * too. What nobody passes on, because its owner is gone, those who lack it ask for.
   */
  private finish(ahead: Ahead, weights: OutgoingWeights, now: readonly Member[]): void {
    const { members, plan, sent, asked, version } = ahead;
    tell(ahead, now);
    const present = members.filter((member) => now.includes(member));
    for (const { range, owner } of plan) {
      if (!sent.has(range.start) && present.includes(owner)) weights.sendRanges(owner, [range], true);
    }
    this.hasSent(weights, now, plan, ahead);
    for (const { member, missing } of asked) this.complete(member, { ...missing, version });
  }

  private hasSent(
    weights: OutgoingWeights,
    members: readonly Member[],
    plan: readonly MemberRange[],
    { message, told }: ToldPlan,
  ): void {
    const { version } = weights;
    for (const member of members) member.weightsVersion = version;
    this.last = { version, members, plan, weights, message, told };
  }

  /**
   * What was on its way to a member may be lost, and with it what others get from it. Weights that do not exist yet are
   * sent when they are distributed.
   */
  private sendAgain(member: Member): void {
    const { ahead, last } = this;
    const ofMember = ({ owner }: MemberRange) => owner === member;
    for (const { range } of ahead?.plan.filter(ofMember) ?? []) ahead!.sent.delete(range.start);
    for (const { range } of last?.plan.filter(ofMember) ?? []) {
      last!.weights?.sendRanges(member, [range], true);
    }
  }

  private planOf(version: number, plan: readonly MemberRange[]): ToldPlan {
    const ranges = plan.map(({ range, owner }) => ({ range, owner: owner.number }));
    return { message: this.participants.encode({ weightsPlan: { version, ranges } }), told: new Set() };
  }

  /** Sends a member what it lacks, because a peer that had to pass it on is gone. */
  private complete(member: Member, missing: WeightsMissing__Output): void {
    const { last, ahead, participants } = this;
    const { version, ranges } = missing;
    if (ahead?.version === version) ahead.asked.push({ member, missing });
    else if (last?.version !== version || !last.members.includes(member)) return;
    else if (last.weights) {
      const words = ranges.reduce((sum, { start, end }) => sum + end - start, 0);
      if (words <= last.weights.words) last.weights.sendRanges(member, ranges, false);
    } else if (member.outstanding > 0) {
      // Others have finished the step for it. It waits for these weights in vain.
      const reason = `it lacks parts of weights ${version}, which are not in use any more`;
      participants.pool.remove(member, { reason, failure: null });
      member.stream.end();
    }
  }
}

function tell({ message, told }: ToldPlan, members: readonly Member[]): void {
  for (const member of members) {
    if (told.has(member)) continue;
    told.add(member);
    void member.outbox.send(message);
  }
}
