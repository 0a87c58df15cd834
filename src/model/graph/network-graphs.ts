import type { Graph } from '../../engine/graph/graph.js';
import type { GraphRuntime } from '../../engine/graph/runtime.js';
import { GraphSession } from '../../engine/graph/session.js';
import { usesErasing, usesPositives } from '../../methods/methods.js';
import type { WirePrecision } from '../../run/training-run.js';
import { byImage, type EncodedImages } from '../encode.js';
import { checkInput, codeColumns, type GradientInput, type LeafResult } from '../fcaenet.js';
import type { LeafOutcome } from '../gradient-sums.js';
import { lossTermCount } from '../loss.js';
import { momentsOf, type Network, type ReadStatistics } from '../network.js';
import { encodeNodes, traceEncode, traceTrainingOutputs } from './encode.js';
import { exchangeFeeds } from './exchange.js';
import { type GradientPart, gradientParts, readParts } from './gradient-parts.js';
import { lossHeadFeed, outputGradientFeed } from './loss-head.js';
import {
  type MicrobatchGraph,
  type MicrobatchShape,
  microbatchNodes,
  traceMicrobatch,
} from './microbatch.js';
import { pictureFeed, pictureForm } from './pictures.js';
import { setWeightsSignature, weightFeeds } from './weights.js';

/** A loaded graph, and the version of the weights in its variables. */
interface WeightedGraph {
  readonly session: GraphSession;
  weightsVersion: number;
}

type Input = GradientInput<Float32Array | Uint8Array>;

/** A network's graphs, each loaded when it is first asked for. */
export class NetworkGraphs {
  private readonly encodings = new Map<string, WeightedGraph>();
  private readonly outputs = new Map<string, WeightedGraph>();
  private readonly microbatches = new Map<string, WeightedGraph & MicrobatchGraph>();
  private readonly parts: readonly GradientPart[];
  private lastMicrobatchSha256 = '';

  constructor(
    private readonly runtime: GraphRuntime,
    readonly network: Network,
  ) {
    this.parts = gradientParts(network.layout);
  }

  /** SHA-256 (hex) of the graph that the last microbatch was computed with; empty before the first. */
  get microbatchSha256(): string {
    return this.lastMicrobatchSha256;
  }

  /** `computeGradient`, of normalised images or of bytes: one call that computes, and one that reads the gradient. */
  computeGradient(input: Input): LeafResult {
    const computed = this.computeLeaf(input, [input.labels.length], 'float32');
    const gradient = input.gradient ?? new Float32Array(this.network.layout.parameterCount);
    computed.readSum(0, 0, gradient);
    return { gradient, ...computed.outcome };
  }

  /**
   * Computes a microbatch in one call. Its gradient becomes the current one in its graph.
   * @param rows numbers of rows of the microbatches that are summed in one graph, ascending
   * @param precision to which the gradient and its sums are rounded
   */
  computeLeaf(input: Input, rows: readonly number[], precision: WirePrecision): ComputedLeaf {
    const { network } = this;
    const { layout } = network;
    checkInput(network, input);
    const { method, erasing, batchNormalisation, anchors, positives } = input;
    const own = input.labels.length;
    const shape = { method, erasing, batchNormalisation, rows, form: pictureForm(anchors), precision };
    const graph = this.microbatchGraph(shape);
    const { session, counts } = graph;
    this.lastMicrobatchSha256 = session.sha256;
    const feeds = [
      pictureFeed(microbatchNodes.anchors(own), anchors, layout),
      ...(positives ? [pictureFeed(microbatchNodes.positives(own), positives, layout)] : []),
      input.outputGradient ? outputGradientFeed(input.outputGradient, own) : lossHeadFeed(input),
      ...(input.exchange ? exchangeFeeds(input.exchange, layout, own) : []),
    ];
    const [outcome, masks = null] = session.run(feeds, [
      microbatchNodes.outcome(own),
      ...(usesErasing(method) ? [microbatchNodes.mask(own)] : []),
    ]) as [Float32Array<ArrayBuffer>, Uint8Array<ArrayBuffer>?];
    return {
      outcome: { masks, ...readOutcome(network, input, outcome, counts.get(own)!) },
      readSum: (kept, merged, gradient) =>
        readParts(layout, this.parts, gradient, (places) =>
          session.readInto(graph.sums.sum(kept, merged), places),
        ),
      keepSum: (kept, merged) => void session.run([], [graph.sums.keep(kept, merged)]),
    };
  }

  /** `encodeImages` in one call, of normalised images or of bytes. */
  encode(images: Float32Array | Uint8Array, rows: number): EncodedImages {
    const outcome = this.outcomeOf(this.encodings, traceEncode, images, rows, true);
    const { layout } = this.network;
    const [first, second] = [rows * layout.bits, rows * (layout.bits + layout.featureWidth)];
    const local = outcome.subarray(second);
    return {
      u: outcome.slice(0, first),
      features: outcome.slice(first, second),
      local: layout.own ? byImage(local, rows, layout) : null,
    };
  }

  /** `trainingOutputsAnywhere` in one call. */
  trainingOutputs(images: Float32Array | Uint8Array, rows: number): Float32Array<ArrayBuffer> {
    return this.outcomeOf(this.outputs, traceTrainingOutputs, images, rows, false).slice();
  }

  dispose(): void {
    for (const graphs of [this.encodings, this.outputs, this.microbatches]) {
      for (const { session } of graphs.values()) session.dispose();
      graphs.clear();
    }
  }

  private outcomeOf(
    loaded: Map<string, WeightedGraph>,
    trace: typeof traceEncode,
    images: Float32Array | Uint8Array,
    rows: number,
    statistics: boolean,
  ): Float32Array<ArrayBuffer> {
    const { layout } = this.network;
    const form = pictureForm(images);
    const key = `${rows} ${form}`;
    const graph = loaded.get(key) ?? this.load(trace(layout, rows, form));
    loaded.set(key, graph);
    this.setWeights(graph, statistics);
    const feeds = [pictureFeed(encodeNodes.images, images, layout)];
    const [outcome] = graph.session.run(feeds, [encodeNodes.outcome]) as [Float32Array<ArrayBuffer>];
    return outcome;
  }

  private microbatchGraph(shape: MicrobatchShape): WeightedGraph & MicrobatchGraph {
    const key = JSON.stringify(shape);
    let graph = this.microbatches.get(key);
    if (!graph) {
      const traced = traceMicrobatch(this.network.layout, shape);
      graph = { ...traced, ...this.load(traced.graph) };
      this.microbatches.set(key, graph);
    }
    this.setWeights(graph, false);
    return graph;
  }

  private load(graph: Graph): WeightedGraph {
    return { session: GraphSession.load(this.runtime, graph), weightsVersion: -1 };
  }

  private setWeights(graph: WeightedGraph, statistics: boolean): void {
    const { weights, weightsVersion } = this.network;
    if (graph.weightsVersion === weightsVersion) return;
    graph.session.run(weightFeeds(weights, statistics), [setWeightsSignature]);
    graph.weightsVersion = weightsVersion;
  }
}

/** A microbatch whose gradient lies in its graph, until another is computed there. */
export interface ComputedLeaf {
  readonly outcome: LeafOutcome;
  /**
   * Reads the sum of its gradient and the last kept ones, in one call.
   * @param kept number of sums that are kept in the graph
   * @param merged number of them that are added
   * @param gradient `[parameterCount]`, where to
   */
  readSum(kept: number, merged: number, gradient: Float32Array): void;
  /** Keeps that sum in the graph instead of those that it contains, in one call. */
  keepSum(kept: number, merged: number): void;
}

function readOutcome(
  { layout }: Network,
  { method, labels, outputGradient }: Input,
  outcome: Float32Array<ArrayBuffer>,
  counts: readonly (readonly number[])[],
): Omit<LeafOutcome, 'masks'> {
  const outputSize = labels.length * layout.bits;
  let position = 0;
  const view = (length: number) => {
    const part = outcome.subarray(position, position + length);
    position += length;
    return part;
  };
  const next = (length: number) => view(length).slice();
  // Float64, as float32 words.
  const losses = new Float64Array(next(2 * lossTermCount(layout)).buffer);
  const u = outputGradient ? codeColumns(next(labels.length * layout.outputs), layout) : next(outputSize);
  const positiveU = usesPositives(method) ? next(outputSize) : null;
  const erasedU = usesErasing(method) ? next(outputSize) : null;
  const passes = counts.map((countsOfPass): ReadStatistics[] => {
    const mean = view(layout.statisticsCount);
    const variance = view(layout.statisticsCount);
    return countsOfPass.map((count, index) => {
      const { offset, channels } = layout.batchNorms[index]!;
      return {
        count,
        mean: mean.subarray(offset, offset + channels),
        variance: variance.subarray(offset, offset + channels),
      };
    });
  });
  return { losses, u, positiveU, erasedU, moments: momentsOf(layout, passes) };
}
