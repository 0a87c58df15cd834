import { mergePayloads, type NodePayload } from '../../reduction/payload.js';
import { StepReduction } from '../../reduction/step-reduction.js';
import { type GradientStep, GradientWork, type NodeAnswer } from './gradient-work.js';
import type { Member } from './member.js';
import type { WorkerPool } from './pool.js';

/** Gradient work whose answers have their gradients. This process sums them in tree order as they arrive. */
export class SummedWork extends GradientWork {
  /** Over the whole batch, when the work is done. Its gradient's buffer belongs to the pool's memory. */
  sum: NodePayload | null = null;
  private reduction!: StepReduction<NodePayload>;
  /** Members whose answers are part of the sum. */
  private readonly contributors = new Set<Member>();

  constructor(step: GradientStep, pool: WorkerPool, release: () => void) {
    super(step, pool, release);
    this.begin();
  }

  missing(): readonly number[] {
    return this.reduction.missingLeaves();
  }

  take(member: Member, leaves: readonly number[], answer: NodeAnswer): void {
    const payload = this.payloadOf(answer);
    if (leaves.length === 1) this.step.onLeaf?.(leaves[0]!, payload);
    if (this.reduction.fill(answer.result.node!, payload)) this.contributors.add(member);
  }

  isUsed(member: Member): boolean {
    return this.contributors.has(member);
  }

  /** A wrong answer cannot be subtracted from a sum, so everything is computed again. */
  discard(): void {
    this.begin();
  }

  end(): void {
    this.sum = this.reduction.sum;
    const contributors = [...this.contributors];
    this.begin();
    for (const member of contributors) this.contributors.add(member);
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
}
