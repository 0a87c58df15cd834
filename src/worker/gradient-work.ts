import { setImmediate } from 'node:timers/promises';
import { unpackCodes } from '../hashing/codes.js';
import type { CodeSummary } from '../hashing/similarity.js';
import { computeGradientAnywhere } from '../model/any-engine.js';
import type { Network } from '../model/network.js';
import { mergePayloads, type NodePayload, payloadDigest } from '../reduction/payload.js';
import { StepReduction } from '../reduction/step-reduction.js';
import { nodeKey, ReductionTree, type TreeNode } from '../reduction/tree.js';
import type { TrainingRunSpec } from '../run/training-run.js';
import { arrayFrom } from '../transport/bytes.js';
import type { GradientWork__Output } from '../transport/generated/fcaenet/v1/GradientWork.js';
import type { Leaf__Output } from '../transport/generated/fcaenet/v1/Leaf.js';
import type { Position__Output } from '../transport/generated/fcaenet/v1/Position.js';
import type { TransferMemory } from '../transport/transfer-memory.js';
import { WorkerError } from './error.js';
import { viewsOfRows } from './images/rows.js';
import type { ImageSource } from './images/source.js';

/** What gradient work needs besides the work itself. */
export interface GradientContext {
  readonly spec: TrainingRunSpec;
  readonly network: Network;
  readonly trainImages: ImageSource;
  /** `[n]`, classes of the train split. */
  readonly trainLabels: Int32Array;
  readonly summary: CodeSummary;
  /** Of the gradients: a node's is given back when the next one is asked for. */
  readonly memory: TransferMemory;
}

/** A finished tree node and what it took, in seconds. */
export interface FinishedNode {
  readonly node: TreeNode;
  readonly payload: NodePayload;
  /** SHA-256 of every microbatch under the node, before it was summed: of several, or of one that is compared. */
  readonly leafDigests: readonly { readonly index: number; readonly sha256: Buffer }[];
  readonly computeSeconds: number;
  readonly imageWaitSeconds: number;
}

/**
 * Computes the microbatches of one piece of work, each alone, and yields the fewest tree nodes that cover them, each
 * as soon as it is complete. Asking for the next one says that the last one's gradient is not needed any more. Ends early, between two microbatches, when nobody waits for them any more.
 * @throws WorkerError when the work contradicts the run
 */
export async function* computeGradientWork(
  context: GradientContext,
  work: GradientWork__Output,
  signal: AbortSignal,
): AsyncGenerator<FinishedNode> {
  const tree = new ReductionTree(work.batchRows, work.microbatches);
  const leaves = work.leaves.map((leaf) => leaf.index);
  const cover = tree.cover(leaves);
  const awaited = new Set(cover.map(nodeKey));
  // What is sent as it was computed can be hashed by whoever gets it.
  const summed = new Set(
    cover
      .map((node) => tree.leavesUnder(node))
      .filter((under) => under.length > 1)
      .flat(),
  );
  const { network, memory } = context;
  const reduction = new StepReduction<NodePayload>(tree, (left, right) => {
    const sum = mergePayloads(network.layout, left, right);
    memory.give(right.gradient.buffer);
    return sum;
  });
  const digests = new Map<number, Buffer>();
  let computeSeconds = 0;
  let imageWaitSeconds = 0;
  const load = (leaf: Leaf__Output | undefined) => {
    const inputs = leaf && loadLeaf(context, tree, leaf, work.position!);
    // A failure shows when the microbatch has its turn.
    inputs?.catch(() => {});
    return inputs;
  };
  let coming = load(work.leaves[0]);
  for (const [place, leaf] of work.leaves.entries()) {
    // A microbatch is computed without looking up: what came meanwhile, signals among it, has its turn here.
    await setImmediate();
    if (signal.aborted) return;
    const started = performance.now();
    const inputs = (await coming)!;
    const loaded = performance.now();
    // The loader's thread answers while this one computes.
    coming = load(work.leaves[place + 1]);
    const gradient = new Float32Array(memory.take(4 * network.layout.parameterCount).buffer);
    const payload = await computeGradientAnywhere(network, {
      ...inputs,
      ...settings(context, work.batchRows),
      gradient,
    });
    // Before it is summed: a sum reuses the memory of its left part.
    if (leaf.compared || summed.has(leaf.index)) digests.set(leaf.index, payloadDigest(payload));
    reduction.fill({ level: 0, index: leaf.index }, payload);
    imageWaitSeconds += (loaded - started) / 1000;
    computeSeconds += (performance.now() - loaded) / 1000;
    for (const node of cover) {
      const sum = awaited.has(nodeKey(node)) ? reduction.take(node) : undefined;
      if (!sum) continue;
      awaited.delete(nodeKey(node));
      const leafDigests = tree.leavesUnder(node).flatMap((index) => {
        const sha256 = digests.get(index);
        return sha256 ? [{ index, sha256 }] : [];
      });
      yield { node, payload: sum, leafDigests, computeSeconds, imageWaitSeconds };
      memory.give(sum.gradient.buffer);
      computeSeconds = 0;
      imageWaitSeconds = 0;
    }
  }
}

/** The settings of the run that every microbatch shares. */
function settings({ spec, summary }: GradientContext, batchRows: number) {
  return {
    summary,
    batchRows,
    method: spec.method,
    gamma: spec.loss.gamma,
    alpha: spec.loss.alpha,
    beta: spec.loss.beta,
    erasing: spec.erasing,
  };
}

async function loadLeaf(
  context: GradientContext,
  tree: ReductionTree,
  leaf: Leaf__Output,
  position: Position__Output,
) {
  const { spec, trainImages, trainLabels } = context;
  const rows = leaf.index < tree.microbatches ? tree.rowCount(leaf.index) : 0;
  const indices = (bytes: Buffer, what: string): Int32Array => {
    const values = arrayFrom(Int32Array, bytes, what, rows);
    const outside = values.find((index) => index < 0 || index >= trainLabels.length);
    if (outside !== undefined) {
      throw new WorkerError(
        'WORKER_BAD_WORK',
        `microbatch ${leaf.index} names image ${outside} of a train split of ${trainLabels.length}`,
      );
    }
    return values;
  };
  const anchors = indices(leaf.anchors, 'the anchors of a microbatch');
  const positives =
    leaf.positives.byteLength > 0 ? indices(leaf.positives, 'the positives of a microbatch') : null;
  const ownCodes = unpackCodes(
    arrayFrom(Uint32Array, leaf.ownCodes, 'the codes of a microbatch'),
    rows,
    spec.bits,
  );
  const views = viewsOfRows(spec.augmentation, position, anchors);
  // Both at once: they are independent reads.
  const [anchorPixels, positivePixels] = await Promise.all([
    trainImages.read(anchors, views.anchors),
    positives ? trainImages.read(positives, views.positives) : null,
  ]);
  return {
    anchors: anchorPixels,
    positives: positivePixels,
    labels: anchors.map((anchor) => trainLabels[anchor]!),
    ownCodes,
  };
}
