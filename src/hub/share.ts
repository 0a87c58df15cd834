import { nodeTaker } from '../coordinator/dispatch/gradient-step.js';
import type { GradientStep, UpcomingImages } from '../coordinator/dispatch/gradient-work.js';
import { RedundantWork } from '../coordinator/dispatch/redundant-work.js';
import type { WorkSurroundings } from '../coordinator/dispatch/work-surroundings.js';
import { payloadBytes } from '../reduction/payload.js';
import { ReductionTree } from '../reduction/tree.js';
import { bytesOf } from '../transport/bytes.js';
import type { GradientWork__Output } from '../transport/generated/fcaenet/v1/GradientWork.js';
import { checkPresent, type FinishedNode } from '../worker/gradient-work.js';
import { type Share, ShareWork } from './share-work.js';

/** What a step consists of besides the coordinator's message. */
type StepSettings = Pick<
  GradientStep,
  'term' | 'request' | 'shape' | 'weights' | 'context' | 'phases' | 'strict'
>;

/**
 * The machine's share of a step, as the coordinator's message describes it.
 * @throws WorkerError when the batch has no such microbatch
 */
export function shareOf(work: GradientWork__Output, settings: StepSettings): Share {
  const tree = new ReductionTree(work.batchRows, work.microbatches);
  const byIndex = new Map(work.leaves.map((leaf) => [leaf.index, leaf]));
  for (const leaf of byIndex.keys()) checkPresent(tree, leaf);
  const leaves = [...byIndex.keys()].sort((a, b) => a - b);
  return {
    leaves,
    compared: new Set(work.leaves.filter(({ compared }) => compared).map(({ index }) => index)),
    step: {
      ...settings,
      position: work.position!,
      tree,
      // The coordinator decides what is computed on two machines. Devices of one are compared by it alone.
      verified: [],
      leaf: (index) => byIndex.get(index)!,
      upcoming: (part) => upcomingOf(work, tree, leaves, part),
    },
  };
}

/**
 * Computes the machine's share of a step on its processes.
 * @returns the nodes that cover it, whose gradients belong to the pool's memory; rejects with the signal's reason when
 * aborted
 * @throws CoordinatorError COORDINATOR_CONTRADICTION when processes contradict each other and no further one can decide
 */
export async function computeShare(
  share: Share,
  surroundings: WorkSurroundings,
): Promise<readonly FinishedNode[]> {
  const { pool } = surroundings;
  const { tree, shape } = share.step;
  let stopExpecting = () => {};
  const kind = new ShareWork(share, pool, () => stopExpecting());
  const work = new RedundantWork(kind, surroundings);
  const taker = nodeTaker(share.step, work, ({ node }) => {
    const rows = tree.rowsUnder(node!);
    return payloadBytes(shape, rows.end - rows.start);
  });
  stopExpecting = pool.nodes.begin(taker, payloadBytes(shape, tree.batchRows));
  await work.run();
  return kind.nodes;
}

/**
 * Of the images of the next step that the message names, those of some leaves. Null where the next batch is of another
 * size: then nobody knows which image is whose, and they are read when their work comes.
 */
function upcomingOf(
  { upcomingImages, upcomingPosition, leaves: [first] }: GradientWork__Output,
  tree: ReductionTree,
  leaves: readonly number[],
  part: readonly number[],
): UpcomingImages | null {
  const sides = first?.positives.byteLength ? 2 : 1;
  const rows = leaves.reduce((sum, leaf) => sum + tree.rowCount(leaf), 0);
  const { byteLength } = upcomingImages;
  if (!upcomingPosition || byteLength !== Uint32Array.BYTES_PER_ELEMENT * sides * rows) return null;
  const images = new Uint32Array(byteLength / Uint32Array.BYTES_PER_ELEMENT);
  bytesOf(images).set(upcomingImages);
  const rowsOf = (side: number): number[] => {
    let row = side * rows;
    return leaves.flatMap((leaf) => {
      const start = row;
      row += tree.rowCount(leaf);
      return part.includes(leaf) ? [...images.subarray(start, row)] : [];
    });
  };
  const own = Array.from({ length: sides }, (_, side) => rowsOf(side)).flat();
  return { position: upcomingPosition, images: bytesOf(Uint32Array.from(own)) };
}
