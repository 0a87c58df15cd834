import { setImmediate } from 'node:timers/promises';
import { unpackCodes } from '../hashing/codes.js';
import type { CodeSummary } from '../hashing/similarity.js';
import { beginsWithoutCodes } from '../methods/first-codes.js';
import { codesPerImage, pairLoss } from '../methods/methods.js';
import { computeGradientAnywhere, gradientSumsInEngine } from '../model/any-engine.js';
import { exchangeOf } from '../model/exchnet/exchange.js';
import type { GradientInput } from '../model/fcaenet.js';
import type { GradientMemory, GradientSums } from '../model/gradient-sums.js';
import type { Network } from '../model/network.js';
import { HostSums } from '../reduction/host-sums.js';
import { mergeOutcomes, type NodeOutcome, type NodePayload, payloadDigest } from '../reduction/payload.js';
import { type SummationStep, summationOrder } from '../reduction/summation-order.js';
import { ReductionTree, type TreeNode } from '../reduction/tree.js';
import type { TrainingRunSpec } from '../run/training-run.js';
import { arrayFrom } from '../transport/bytes.js';
import type { GradientWork__Output } from '../transport/generated/fcaenet/v1/GradientWork.js';
import type { Leaf__Output } from '../transport/generated/fcaenet/v1/Leaf.js';
import type { Position__Output } from '../transport/generated/fcaenet/v1/Position.js';
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
  /** Of V; null where the loss is over pairs, and so known. */
  readonly summary: CodeSummary | null;
  /** Local features of the classes `[classes, parts, width]`; null while none are exchanged. */
  readonly anchored: Float32Array | null;
  /** A node's gradient is given back to it when the next one is asked for. */
  readonly memory: GradientMemory;
}

/** A finished tree node and what it took, in seconds. */
export interface FinishedNode {
  readonly node: TreeNode;
  readonly payload: NodePayload;
  /**
   * SHA-256 of microbatches alone: of one that is compared, and of several that are under the node, unless the engine
   * sums their gradients itself.
   */
  readonly leafDigests: readonly LeafDigest[];
  /** Whether it is one microbatch that is compared, as it was computed. */
  readonly isCompared: boolean;
  /** Name of the device that computed it; empty where a worker has one, or several computed it. */
  readonly device: string;
  readonly computeSeconds: number;
  readonly imageWaitSeconds: number;
}

interface LeafDigest {
  readonly index: number;
  readonly sha256: Buffer;
}

/**
 * Computes the microbatches of one piece of work, each alone, and yields tree nodes that cover them, each as soon as it
 * is complete. Asking for the next one says that the last one's gradient is not needed any more. Ends early, between two
 * microbatches, when nobody waits for them any more.
 * @throws WorkerError when the work contradicts the run
 */
export async function* computeGradientWork(
  context: GradientContext,
  work: GradientWork__Output,
  signal: AbortSignal,
): AsyncGenerator<FinishedNode> {
  const tree = new ReductionTree(work.batchRows, work.microbatches);
  const { network, memory } = context;
  const sums = gradientSums(context, tree);
  const leaves = new Map(work.leaves.map((leaf) => [leaf.index, leaf]));
  for (const index of leaves.keys()) checkPresent(tree, index);
  const steps = summationOrder(tree, leaves.keys(), sums.mostKept);
  /** Of the sums that are kept. */
  const kept: NodeOutcome[] = [];
  let leafDigests: LeafDigest[] = [];
  let computeSeconds = 0;
  let imageWaitSeconds = 0;
  const load = (step: SummationStep | undefined) => {
    const inputs = step && loadLeaf(context, tree, leaves.get(step.leaf)!, work.position!);
    // A failure shows when the microbatch has its turn.
    inputs?.catch(() => {});
    return inputs;
  };
  let coming = load(steps[0]);
  for (const [place, { leaf, merged, completes }] of steps.entries()) {
    // A microbatch is computed without looking up: what came meanwhile, signals among it, has its turn here.
    await setImmediate();
    if (signal.aborted) return;
    const started = performance.now();
    const inputs = (await coming)!;
    const loaded = performance.now();
    // The loader's thread answers while this one computes.
    coming = load(steps[place + 1]);
    const { u, losses, moments } = await sums.compute(gradientInput(context, work.batchRows, inputs));
    let outcome: NodeOutcome = { u, losses, moments };
    const isAlone = completes !== null && merged === 0;
    const gradient = isAlone ? null : sums.current();
    // Before it is summed: a sum reuses memory of its parts.
    if (gradient) leafDigests.push({ index: leaf, sha256: payloadDigest({ ...outcome, gradient }) });
    for (let i = 0; i < merged; i++) outcome = mergeOutcomes(network.layout, kept.pop()!, outcome);
    if (!completes) {
      sums.keep(merged);
      kept.push(outcome);
    }
    const payload = completes && { ...outcome, gradient: sums.finish(merged) };
    // What is sent as it was computed can be hashed by whoever gets it.
    const isCompared = isAlone && leaves.get(leaf)!.compared;
    if (payload && isCompared) {
      leafDigests.push({ index: leaf, sha256: payloadDigest(payload) });
    }
    imageWaitSeconds += (loaded - started) / 1000;
    computeSeconds += (performance.now() - loaded) / 1000;
    if (!payload) continue;
    yield { node: completes, payload, leafDigests, isCompared, device: '', computeSeconds, imageWaitSeconds };
    memory.give(payload.gradient);
    leafDigests = [];
    computeSeconds = 0;
    imageWaitSeconds = 0;
  }
}

/** @throws WorkerError when the batch has no such microbatch */
export function checkPresent(tree: ReductionTree, leaf: number): void {
  if (tree.leaves.includes(leaf)) return;
  throw new WorkerError(
    'WORKER_BAD_WORK',
    `a batch of ${tree.batchRows} rows in ${tree.microbatches} microbatches has no microbatch ${leaf} with rows`,
  );
}

/** Sums of the engine where it has some, else of this process. */
function gradientSums({ spec, network, memory }: GradientContext, tree: ReductionTree): GradientSums {
  const rows = [...new Set(tree.leaves.map((leaf) => tree.rowCount(leaf)))].sort((a, b) => a - b);
  return (
    gradientSumsInEngine(network, rows, spec.wire.precision, memory) ??
    new HostSums((input) => computeGradientAnywhere(network, input), memory)
  );
}

/** A loaded microbatch with the settings of the run that all share. */
function gradientInput(
  { spec, summary, anchored, network }: GradientContext,
  batchRows: number,
  { ownCodes, outputGradient, exchanged, ...loaded }: LoadedLeaf,
): GradientInput<Uint8Array> {
  const { method, erasing, batchNormalisation, loss } = spec;
  const { own, featureWidth } = network.layout;
  const { labels } = loaded;
  const settings = spec.exchnet;
  const exchange = own && exchangeOf({ settings, own, featureWidth, labels, batchRows, exchanged, anchored });
  const shared = { ...loaded, method, erasing, batchNormalisation, ...(exchange && { exchange }) };
  if (outputGradient) return { ...shared, outputGradient };
  return { ...shared, ownCodes: ownCodes!, summary: summary!, batchRows, ...loss };
}

type LoadedLeaf = Awaited<ReturnType<typeof loadLeaf>>;

async function loadLeaf(
  context: GradientContext,
  tree: ReductionTree,
  leaf: Leaf__Output,
  position: Position__Output,
) {
  const { spec, trainImages, trainLabels } = context;
  const rows = tree.rowCount(leaf.index);
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
  const head = pairLoss(spec.method)
    ? { outputGradient: outputGradientOf(leaf, rows, spec.bits * codesPerImage(spec.method)), ownCodes: null }
    : { outputGradient: null, ownCodes: ownCodesOf(leaf, rows, spec) };
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
    exchanged: exchangedOf(leaf, rows, context.anchored),
    ...head,
  };
}

function outputGradientOf(leaf: Leaf__Output, rows: number, outputs: number): Float32Array<ArrayBuffer> {
  return arrayFrom(Float32Array, leaf.outputGradient, 'the output gradient of a microbatch', rows * outputs);
}

/**
 * The parts that each row takes from its class, as bits `[rows]`; none while nothing is exchanged.
 * @throws WorkerError where there is nothing to take
 */
function exchangedOf(
  { index, exchangedParts }: Leaf__Output,
  rows: number,
  anchored: GradientContext['anchored'],
): Uint32Array {
  if (exchangedParts.byteLength === 0) return new Uint32Array(rows);
  if (!anchored) {
    throw new WorkerError(
      'WORKER_BAD_WORK',
      `microbatch ${index} exchanges local features, but the coordinator sent none of the classes`,
    );
  }
  return arrayFrom(Uint32Array, exchangedParts, 'the exchange of a microbatch', rows);
}

/** The rows' own codes `[rows, bits]`; 0 before the first V-step of a run that begins with V = 0. */
function ownCodesOf(leaf: Leaf__Output, rows: number, spec: TrainingRunSpec): Int8Array {
  const packed = arrayFrom(Uint32Array, leaf.ownCodes, 'the codes of a microbatch');
  const { bits } = spec;
  const isUnset = packed.length === 0 && beginsWithoutCodes(spec);
  return isUnset ? new Int8Array(rows * bits) : unpackCodes(packed, rows, bits);
}
