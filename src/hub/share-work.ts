import { type GradientStep, GradientWork, type NodeAnswer } from '../coordinator/dispatch/gradient-work.js';
import type { Member } from '../coordinator/dispatch/member.js';
import type { WorkerPool } from '../coordinator/dispatch/pool.js';
import type { Candidate } from '../coordinator/dispatch/redundant-work.js';
import { mergePayloads } from '../reduction/payload.js';
import { StepReduction } from '../reduction/step-reduction.js';
import type { FinishedNode } from '../worker/gradient-work.js';

type Part = Omit<FinishedNode, 'node' | 'isCompared'>;

/** A piece of a step: some of its microbatches, for the processes of this machine. */
export interface Share {
  readonly step: GradientStep;
  /** Present leaves, ascending. */
  readonly leaves: readonly number[];
  /** Those that go to the coordinator as they were computed. */
  readonly compared: ReadonlySet<number>;
}

/** A machine's microbatches of a step. Its processes compute them, and this process sums them in tree order. */
export class ShareWork extends GradientWork {
  /** The fewest nodes that cover the microbatches, when all are there. Their gradients belong to the pool's memory. */
  nodes: readonly FinishedNode[] = [];
  private reduction!: StepReduction<Part>;
  private readonly contributors = new Set<Member>();

  constructor(
    private readonly share: Share,
    pool: WorkerPool,
    release: () => void,
  ) {
    super(share.step, pool, release);
    this.begin();
  }

  missing(): readonly number[] {
    const missing = new Set(this.reduction.missingLeaves());
    return this.share.leaves.filter((leaf) => missing.has(leaf));
  }

  /** Several pieces may be in work. Processes with the least of it come first. */
  override assign(leaves: readonly number[], candidates: readonly Candidate[]) {
    return super.assign(
      leaves,
      [...candidates].sort((a, b) => a.member.outstanding - b.member.outstanding),
    );
  }

  take(member: Member, _: readonly number[], answer: NodeAnswer): void {
    const { node, leafDigests, computeSeconds, imageWaitSeconds } = answer.result;
    const payload = this.payloadOf(answer);
    const part = { payload, leafDigests, device: member.name, computeSeconds, imageWaitSeconds };
    if (this.reduction.fill(node!, part)) this.contributors.add(member);
  }

  isUsed(member: Member): boolean {
    return this.contributors.has(member);
  }

  /** A wrong answer cannot be subtracted from a sum, so everything is computed again. */
  discard(): void {
    this.begin();
  }

  end(): void {
    if (this.missing().length > 0) return;
    const { share, reduction } = this;
    this.nodes = share.step.tree.cover(share.leaves).map((node) => {
      const [leaf, ...others] = share.step.tree.leavesUnder(node);
      const isCompared = others.length === 0 && share.compared.has(leaf!);
      return { node, isCompared, ...reduction.take(node)! };
    });
  }

  protected override goesAlone(leaf: number): boolean {
    return this.share.compared.has(leaf);
  }

  private begin(): void {
    const { tree, shape } = this.step;
    this.contributors.clear();
    this.reduction = new StepReduction<Part>(tree, (left, right) => {
      const payload = mergePayloads(shape.layout, left.payload, right.payload);
      this.pool.memory.give(right.payload.gradient.buffer);
      return {
        payload,
        leafDigests: [...left.leafDigests, ...right.leafDigests],
        device: left.device === right.device ? left.device : '',
        computeSeconds: left.computeSeconds + right.computeSeconds,
        imageWaitSeconds: left.imageWaitSeconds + right.imageWaitSeconds,
      };
    });
  }
}
