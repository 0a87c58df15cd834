import {
  mergePayloads,
  type NodePayload,
  nonFinitePart,
  type PayloadShape,
  payloadBytes,
  payloadFrom,
} from '../reduction/payload.js';
import { StepReduction } from '../reduction/step-reduction.js';
import type { ReductionTree } from '../reduction/tree.js';
import type { CoordinatorMessage } from '../transport/generated/fcaenet/v1/CoordinatorMessage.js';
import type { Leaf } from '../transport/generated/fcaenet/v1/Leaf.js';
import type { NodeResult__Output } from '../transport/generated/fcaenet/v1/NodeResult.js';
import type { Position } from '../transport/generated/fcaenet/v1/Position.js';
import { assignLeaves } from './assignment.js';
import type { Member } from './member.js';
import type { Departure, WorkerPool } from './pool.js';
import { type IterationMessage, sendContext, sendWeights, type WeightsMessages } from './snapshot.js';

/** Everything about one step that does not depend on who computes it. */
export interface GradientStep {
  readonly term: number;
  readonly position: Required<Position>;
  readonly tree: ReductionTree;
  readonly shape: PayloadShape;
  /** Rows of a full batch, which bounds late answers to earlier steps. */
  readonly mostRows: number;
  readonly weights: WeightsMessages;
  readonly context: IterationMessage;
  /** The work of one present leaf. */
  leaf(index: number): Leaf;
  /** Images of the next step's rows that would fall to the same leaves, as uint32 bytes. */
  upcoming(leaves: readonly number[]): Uint8Array;
}

/** What the step tells its surroundings, for logs and metrics. */
export interface StepObserver {
  /** Leaves went out again because their worker left. */
  redispatched(leaves: number, departure: Departure): void;
  computed(member: Member, result: NodeResult__Output): void;
  /** No worker is there; called once each time the step has to wait. */
  waiting(): void;
}

/**
 * Computes one step's summed gradient on whatever workers there are: hands out the microbatches, sums what comes
 * back in tree order, and hands the microbatches of a worker that leaves to the others.
 * @returns the sum over the whole batch; rejects with the signal's reason when aborted
 */
export function runGradientStep(
  pool: WorkerPool,
  step: GradientStep,
  observer: StepObserver,
  signal: AbortSignal,
): Promise<NodePayload> {
  const { tree, shape, position } = step;
  const reduction = new StepReduction<NodePayload>(tree, (left, right) =>
    mergePayloads(shape.layout, left, right),
  );
  /** Leaves each worker still owes. */
  const owed = new Map<Member, Set<number>>();

  const dispatch = (leaves: readonly number[]): void => {
    const workers = pool.admitted();
    if (workers.length === 0) {
      observer.waiting();
      return;
    }
    for (const { worker, leaves: share } of assignLeaves(leaves, workers)) {
      const held = owed.get(worker) ?? new Set();
      for (const leaf of share) held.add(leaf);
      owed.set(worker, held);
      sendContext(worker, step.context);
      sendWeights(worker, step.weights);
      pool.account(worker, share.length);
      const message: CoordinatorMessage = {
        term: step.term,
        gradientWork: {
          position,
          weightsVersion: step.weights.version,
          batchRows: tree.batchRows,
          microbatches: tree.microbatches,
          leaves: share.map((leaf) => step.leaf(leaf)),
          upcomingImages: Buffer.from(step.upcoming(share)),
        },
      };
      void worker.outbox.send(message);
    }
  };

  /** Leaves that nobody owes and no answer has covered. */
  const unassigned = (): number[] => {
    const assigned = new Set([...owed.values()].flatMap((leaves) => [...leaves]));
    return reduction.missingLeaves().filter((leaf) => !assigned.has(leaf));
  };

  const isCurrent = (result: NodeResult__Output): boolean =>
    result.position !== null &&
    result.node !== null &&
    result.position.iteration === position.iteration &&
    result.position.epoch === position.epoch &&
    result.position.step === position.step;

  return new Promise((resolve, reject) => {
    const onNode = (member: Member, result: NodeResult__Output, bytes: Uint8Array): void => {
      if (!isCurrent(result)) return;
      const node = result.node!;
      const rows = tree.rowsUnder(node);
      const payload = payloadFrom(bytes, shape, rows.end - rows.start);
      const bad = nonFinitePart(payload);
      if (bad) {
        pool.refuse(
          member,
          'non_finite',
          `node ${node.level}/${node.index} holds ${bad} that are not finite numbers`,
        );
        return;
      }
      const held = owed.get(member);
      const answered = tree.leavesUnder(node).filter((leaf) => held?.delete(leaf));
      pool.account(member, -answered.length);
      reduction.fill(node, payload);
      observer.computed(member, result);
      const sum = reduction.sum;
      if (sum) finish(() => resolve(sum));
    };
    const onGone = (member: Member, departure: Departure): void => {
      const lost = owed.get(member)?.size ?? 0;
      owed.delete(member);
      const leaves = unassigned();
      if (lost > 0) observer.redispatched(lost, departure);
      if (leaves.length > 0) dispatch(leaves);
    };
    const onReady = (): void => {
      const leaves = unassigned();
      if (leaves.length > 0) dispatch(leaves);
    };
    const onAbort = (): void => finish(() => reject(signal.reason));
    const finish = (settle: () => void): void => {
      pool.off('node', onNode);
      pool.off('gone', onGone);
      pool.off('ready', onReady);
      signal.removeEventListener('abort', onAbort);
      for (const [member, leaves] of owed) pool.account(member, -leaves.size);
      settle();
    };

    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    pool.on('node', onNode);
    pool.on('gone', onGone);
    pool.on('ready', onReady);
    signal.addEventListener('abort', onAbort, { once: true });
    pool.bounds = {
      ...pool.bounds,
      mostNodeBytes: payloadBytes(shape, step.mostRows),
      node: (result) => {
        if (!isCurrent(result)) return null;
        if (!tree.contains(result.node!) || tree.leavesUnder(result.node!).length === 0) return 'unknown';
        const rows = tree.rowsUnder(result.node!);
        return payloadBytes(shape, rows.end - rows.start);
      },
    };
    dispatch(tree.leaves);
  });
}
