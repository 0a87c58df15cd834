import { payloadBytes } from '../../reduction/payload.js';
import type { NodeResult__Output } from '../../transport/generated/fcaenet/v1/NodeResult.js';
import type { Position, Position__Output } from '../../transport/generated/fcaenet/v1/Position.js';
import type { AnswerTaker } from './expected-answers.js';
import type { GradientStep, NodeAnswer, StepSum } from './gradient-work.js';
import { RedundantWork } from './redundant-work.js';
import { SummedWork } from './summed-work.js';
import type { WorkSurroundings } from './work-surroundings.js';

/**
 * Computes one step's summed gradient on the available workers, which send their gradients here. Its microbatches are
 * handed out as redundant work, and the answers are summed in tree order.
 * @returns the sum over the whole batch, whose gradient's buffer belongs to the pool's memory; rejects with the
 * signal's reason when aborted
 * @throws CoordinatorError COORDINATOR_CONTRADICTION when workers contradict each other and no further worker can
 * decide
 */
export async function runGradientStep(step: GradientStep, surroundings: WorkSurroundings): Promise<StepSum> {
  const { pool } = surroundings;
  const { tree, shape, phases } = step;
  const bytesOfRows = (rows: number) => payloadBytes(shape, rows);
  let stopExpecting = () => {};
  const kind = new SummedWork(step, pool, () => stopExpecting());
  const work = new RedundantWork(kind, surroundings);
  const taker = nodeTaker(step, work, (result) => {
    // A late answer of an exchange that was given up has no gradient.
    if (result.held) return null;
    const rows = tree.rowsUnder(result.node!);
    return bytesOfRows(rows.end - rows.start);
  });
  stopExpecting = pool.nodes.begin(taker, bytesOfRows(tree.batchRows));
  const running = work.run();
  void Promise.all(pool.admitted().map((member) => member.hasLeft())).then(() => phases.sent());
  await running;
  phases.summed();
  return kind.sum!;
}

/**
 * Passes answers to a step's nodes on to its work.
 * @param bytesOf exact bytes of an announced answer to a present node of the step; null when it belongs to other work
 */
export function nodeTaker(
  { position, request = 0, tree, phases }: GradientStep,
  work: RedundantWork<NodeAnswer>,
  bytesOf: (result: NodeResult__Output) => number | null,
): AnswerTaker<NodeResult__Output> {
  return {
    bytesOf: (result) => {
      const { node } = result;
      if (node === null || result.request !== request || !isPosition(position, result.position)) return null;
      if (!tree.contains(node) || tree.leavesUnder(node).length === 0) return 'unknown';
      const bytes = bytesOf(result);
      // It is asked when an answer is announced.
      if (bytes !== null) phases.answering();
      return bytes;
    },
    take: (member, result, bytes) =>
      phases.handle(() => work.answer(member, tree.leavesUnder(result.node!), { result, bytes })),
  };
}

/** Whether a message is of this position. */
export function isPosition(
  { iteration, epoch, step }: Required<Position>,
  of: Position__Output | null,
): boolean {
  return of?.iteration === iteration && of.epoch === epoch && of.step === step;
}
