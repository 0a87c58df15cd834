import { shortDigest } from '../../errors.js';
import {
  type NodePayload,
  nonFinitePart,
  type PayloadShape,
  payloadFrom,
  receivedDigest,
} from '../../reduction/payload.js';
import type { ReductionTree } from '../../reduction/tree.js';
import type { CoordinatorMessage } from '../../transport/generated/fcaenet/v1/CoordinatorMessage.js';
import type { Leaf } from '../../transport/generated/fcaenet/v1/Leaf.js';
import type { NodeResult__Output } from '../../transport/generated/fcaenet/v1/NodeResult.js';
import type { Position } from '../../transport/generated/fcaenet/v1/Position.js';
import type { StepUpdate } from '../lane/step-update.js';
import { contiguousShares } from './contiguous-shares.js';
import type { Member } from './member.js';
import { UnitDevices } from './member-devices.js';
import { type IterationMessage, type OutgoingWeights, sendContext } from './outgoing-weights.js';
import type { WorkerPool } from './pool.js';
import type { Candidate, Rejection, UnitDigest, WorkKind } from './redundant-work.js';
import type { StepPhases } from './step-phases.js';

/** The content of one step, or of some of its microbatches. It does not depend on which worker computes what. */
export interface GradientStep {
  readonly term: number;
  readonly position: Required<Position>;
  /** Tells pieces of work at one position apart; absent where there is one. */
  readonly request?: number;
  readonly tree: ReductionTree;
  readonly shape: PayloadShape;
  readonly weights: OutgoingWeights;
  /** What its loss needs of V; null where the loss is over pairs. */
  readonly context: IterationMessage | null;
  /** Times the step. */
  readonly phases: StepPhases;
  /** Present leaves to compute twice and compare. */
  readonly verified: readonly number[];
  /** Whether contradicting answers end the run when no further worker can decide. */
  readonly strict: boolean;
  /** The work of one present leaf. */
  leaf(index: number): Leaf;
  /** Told of each microbatch that comes alone and is taken; its memory is used again afterwards. */
  readonly onLeaf?: (leaf: number, payload: NodePayload) => void;
  /** Images of the next step's rows for the same leaves; null after the last step. */
  upcoming(leaves: readonly number[]): UpcomingImages | null;
}

/** A step whose sum is applied to the run's state. */
export interface UpdatingStep extends GradientStep {
  readonly update: StepUpdate;
}

/** The sum over a step's batch. */
export interface StepSum extends NodePayload {
  /** SHA-256 (hex) of the gradient, where the step's update is complete; absent where nothing of it counts. */
  readonly gradientSha256?: string;
}

/** The next work of a worker. */
export interface UpcomingImages {
  readonly position: Required<Position>;
  /** Anchors, then as many positives if the method uses positives, as uint32 bytes. */
  readonly images: Uint8Array;
}

/** Name of the units of gradient work. */
export const gradientUnits = 'microbatches';

/** An answer: the sum of one node of the tree, as announced and as received. */
export interface NodeAnswer {
  readonly result: NodeResult__Output;
  readonly bytes: Uint8Array;
}

/** The microbatches of one step as units of work: leaves of the tree. How they are summed is the subclass's. */
export abstract class GradientWork implements WorkKind<NodeAnswer> {
  readonly verified: readonly number[];
  readonly strict: boolean;
  readonly mostHeld = Number.POSITIVE_INFINITY;
  readonly units = gradientUnits;
  readonly answers = 'gradients';
  /** Of microbatches that came alone. */
  private readonly devices = new UnitDevices<Member>();

  constructor(
    protected readonly step: GradientStep,
    protected readonly pool: WorkerPool,
    readonly release: () => void,
  ) {
    this.verified = step.verified;
    this.strict = step.strict;
  }

  get deadlines() {
    return this.pool.deadlines;
  }

  abstract missing(): readonly number[];
  abstract take(member: Member, leaves: readonly number[], answer: NodeAnswer): void;
  abstract isUsed(member: Member): boolean;
  abstract discard(members: readonly Member[]): void;
  abstract end(): void;

  assign(leaves: readonly number[], candidates: readonly Candidate[]): { member: Member; units: number[] }[] {
    return contiguousShares(leaves, candidates);
  }

  /** Leaves that are compared are sent alone, so that this process can compute their digest itself. */
  send(member: Member, leaves: readonly number[]): void {
    for (const leaf of leaves) if (this.goesAlone(leaf)) this.sendTogether(member, [leaf]);
    const others = leaves.filter((leaf) => !this.goesAlone(leaf));
    if (others.length > 0) this.sendTogether(member, others);
  }

  /** Whether a worker keeps the gradients for the exchange. */
  protected isExchangedWith(_: Member): boolean {
    return false;
  }

  /** Whether this process needs a leaf's digest, and so the leaf alone and whole. */
  protected goesAlone(leaf: number): boolean {
    return this.verified.includes(leaf);
  }

  /** Send weights ahead of the first work, while the other workers compute. */
  prepare(member: Member): void {
    member.isReceiving = true;
    if (this.step.context) sendContext(member, this.step.context);
    void this.step.weights.sendTo(member).then(() => {
      member.isReceiving = false;
    });
  }

  implausible(_: readonly number[], answer: NodeAnswer): Rejection | null {
    const bad = nonFinitePart(this.payloadOf(answer));
    if (!bad) return null;
    const { level, index } = answer.result.node!;
    return {
      reason: 'non_finite',
      sentence: `node ${level}/${index} has NaN or infinity in its ${bad}`,
    };
  }

  /**
   * This process hashes a leaf that came alone and is compared, or that another worker holds too, before a sum reuses
   * its memory. For leaves that the worker has summed, only the worker's own digest is known.
   */
  digestsOf(
    leaves: readonly number[],
    { result, bytes }: NodeAnswer,
    isCompared: (leaf: number) => boolean,
  ): readonly UnitDigest[] | Rejection {
    const { leafDigests, node } = result;
    if (leaves.length > 1) {
      const compared = leaves.find((leaf) => this.step.verified.includes(leaf));
      if (compared === undefined) {
        return leafDigests.map(({ index, sha256 }) => ({ unit: index, digest: sha256 }));
      }
      return {
        reason: 'bad_message',
        sentence: `microbatch ${compared} is compared and must be sent alone, but was sent in node ${node!.level}/${node!.index}`,
      };
    }
    const leaf = leaves[0]!;
    if (!isCompared(leaf)) return [];
    const digest = receivedDigest(bytes);
    const claimed = leafDigests.find(({ index }) => index === leaf)?.sha256;
    if (!claimed || digest.equals(claimed)) return [{ unit: leaf, digest }];
    const [said, found] = [claimed, digest].map((each) => shortDigest(each.toString('hex')));
    return {
      reason: 'wrong_digest',
      sentence: `microbatch ${leaf} was announced with digest ${said}, but the received bytes have ${found}`,
    };
  }

  answered(member: Member, leaves: readonly number[], { result }: NodeAnswer, seconds: number): void {
    const { computeSeconds, imageWaitSeconds, device } = result;
    if (leaves.length === 1) this.devices.note(member, leaves[0]!, device);
    const atOnce = leaves.length / member.roundsFor(leaves.length);
    this.pool.answered(member, {
      microbatches: leaves.length,
      turnaroundSeconds: atOnce * seconds,
      computeSeconds,
      imageWaitSeconds,
    });
  }

  overdue(member: Member, leaves: readonly number[]): void {
    member.tally.overdueMicrobatches += leaves.length;
  }

  deviceClause(member: Member, leaf: number): string {
    return this.devices.clause(member, leaf);
  }

  name(leaf: number): string {
    const { iteration, epoch, step } = this.step.position;
    return `microbatch ${leaf} of iteration ${iteration + 1}, epoch ${epoch + 1}, step ${step + 1}`;
  }

  protected payloadOf({ result, bytes }: NodeAnswer): NodePayload {
    const { tree, shape } = this.step;
    const rows = tree.rowsUnder(result.node!);
    return payloadFrom(bytes, shape, rows.end - rows.start);
  }

  /** Sends some leaves to a worker in one message, after the data that it still needs for them. */
  private sendTogether(member: Member, leaves: readonly number[]): void {
    const { step } = this;
    const upcoming = step.upcoming(leaves);
    if (step.context) sendContext(member, step.context);
    void step.weights.sendTo(member);
    const message: CoordinatorMessage = {
      term: step.term,
      gradientWork: {
        position: step.position,
        request: step.request ?? 0,
        weightsVersion: step.weights.version,
        batchRows: step.tree.batchRows,
        microbatches: step.tree.microbatches,
        leaves: leaves.map((leaf) => ({ ...step.leaf(leaf), compared: this.goesAlone(leaf) })),
        exchange: this.isExchangedWith(member),
        ...(upcoming && {
          upcomingImages: Buffer.from(upcoming.images),
          upcomingPosition: upcoming.position,
        }),
      },
    };
    void member.outbox.send(message);
  }
}
