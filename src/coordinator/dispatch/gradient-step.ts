import { type NodePayload, payloadBytes } from '../../reduction/payload.js';
import type { NodeResult__Output } from '../../transport/generated/fcaenet/v1/NodeResult.js';
import type { AnswerTaker } from './expected-answers.js';
import { type GradientStep, GradientWork } from './gradient-work.js';
import { RedundantWork, type WorkSurroundings } from './redundant-work.js';

/**
 * Computes one step's summed gradient on the available workers. Its microbatches are handed out as redundant work, and
 * the answers are summed in tree order.
 * @returns the sum over the whole batch, whose gradient's buffer belongs to the pool's memory; rejects with the
 * signal's reason when aborted
 * @throws CoordinatorError COORDINATOR_CONTRADICTION when workers contradict each other and no further worker can
 * decide
 */
export async function runGradientStep(
  step: GradientStep,
  surroundings: WorkSurroundings,
): Promise<NodePayload> {
  const { pool } = surroundings;
  const { tree, shape, phases } = step;
  const bytesOfRows = (rows: number) => payloadBytes(shape, rows);
  let stopExpecting = () => {};
  const kind = new GradientWork(step, pool, () => stopExpecting());
  const work = new RedundantWork(kind, surroundings);
  const taker: AnswerTaker<NodeResult__Output> = {
    bytesOf: (result) => {
      if (!isOfStep(step, result)) return null;
      const node = result.node!;
      if (!tree.contains(node) || tree.leavesUnder(node).length === 0) return 'unknown';
      const rows = tree.rowsUnder(node);
      // It is asked when an answer is announced.
      phases.answering();
      return bytesOfRows(rows.end - rows.start);
    },
    take: (member, result, bytes) =>
      phases.handle(() => work.answer(member, tree.leavesUnder(result.node!), { result, bytes })),
  };
  stopExpecting = pool.nodes.begin(taker, bytesOfRows(tree.batchRows));
  const running = work.run();
  void Promise.all(pool.admitted().map(({ outbox }) => outbox.hasLeft())).then(() => phases.sent());
  await running;
  phases.summed();
  return kind.sum!;
}

function isOfStep({ position }: GradientStep, result: NodeResult__Output): boolean {
  const { iteration, epoch, step } = position;
  const of = result.position;
  return result.node !== null && of?.iteration === iteration && of.epoch === epoch && of.step === step;
}
