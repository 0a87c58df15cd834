import type { GraphRuntime } from '../../engine/graph/runtime.js';
import { GraphSession } from '../../engine/graph/session.js';
import type { EncodedImages } from '../encode.js';
import { checkInput, type GradientInput, type LeafResult } from '../fcaenet.js';
import { usesErasing, usesPositives } from '../method.js';
import { momentsOf, type Network, type ReadStatistics } from '../network.js';
import { encodeNodes, traceEncode } from './encode.js';
import { lossHeadFeed } from './loss-head.js';
import { type MicrobatchGraph, microbatchNodes, traceMicrobatch } from './microbatch.js';
import { SET_WEIGHTS, weightFeeds } from './weights.js';

/** Four losses in float64, as float32 words. */
const lossWords = 8;

/** A graph of a network, and the version of the weights in its variables. */
interface LoadedGraph {
  readonly session: GraphSession;
  /** Of a microbatch's graph: values per channel that each BatchNorm sees, for each pass. */
  readonly counts: MicrobatchGraph['counts'];
  weightsVersion: number;
}

/** A network's graphs: one for each number of rows that was asked for, loaded when it is first. */
export class NetworkGraphs {
  private readonly graphs = new Map<string, LoadedGraph>();

  constructor(
    private readonly runtime: GraphRuntime,
    private readonly network: Network,
  ) {}

  /** SHA-256 (hex) of the graph that the last microbatch was computed with. */
  get microbatchSha256(): string {
    return this.lastMicrobatch;
  }
  private lastMicrobatch = '';

  /** `computeGradient` in one call. */
  computeGradient(input: GradientInput): LeafResult {
    const { network } = this;
    const { layout } = network;
    checkInput(network, input);
    const { method, erasing, anchors, positives } = input;
    const rows = input.labels.length;
    const { session, counts } = this.ready(
      `microbatch ${rows} ${method} ${erasing.regions} ${erasing.size}`,
      false,
      () => traceMicrobatch(layout, { rows, method, erasing }),
    );
    this.lastMicrobatch = session.sha256;
    const shape = [rows, layout.height, layout.width, 3];
    const feeds = [
      { name: microbatchNodes.anchors, shape, values: anchors },
      ...(positives ? [{ name: microbatchNodes.positives, shape, values: positives }] : []),
      lossHeadFeed(input),
    ];
    const erases = usesErasing(method);
    const wanted = [microbatchNodes.gradient, microbatchNodes.outcome];
    const [gradient, outcome, mask] = session.run(
      feeds,
      erases ? [...wanted, microbatchNodes.mask] : wanted,
    ) as [Float32Array<ArrayBuffer>, Float32Array<ArrayBuffer>, Uint8Array<ArrayBuffer>?];
    input.gradient?.set(gradient);
    return {
      gradient: input.gradient ?? gradient,
      masks: mask ?? null,
      ...readOutcome(network, input, outcome, counts),
    };
  }

  /** `encodeImages` in one call. */
  encode(images: Float32Array, rows: number): EncodedImages {
    const { layout } = this.network;
    const { session } = this.ready(`encode ${rows}`, true, () => ({
      graph: traceEncode(layout, rows),
      counts: [],
    }));
    const shape = [rows, layout.height, layout.width, 3];
    const [outcome] = session.run(
      [{ name: encodeNodes.images, shape, values: images }],
      [encodeNodes.outcome],
    ) as [Float32Array<ArrayBuffer>];
    const end = rows * layout.bits;
    return { u: outcome.slice(0, end), features: outcome.slice(end) };
  }

  dispose(): void {
    for (const { session } of this.graphs.values()) session.dispose();
    this.graphs.clear();
  }

  /** A session with the network's weights in its variables. */
  private ready(key: string, statistics: boolean, trace: () => MicrobatchGraph): LoadedGraph {
    const { runtime, network } = this;
    let graph = this.graphs.get(key);
    if (!graph) {
      const { graph: traced, counts } = trace();
      graph = { session: GraphSession.load(runtime, traced), counts, weightsVersion: -1 };
      this.graphs.set(key, graph);
    }
    if (graph.weightsVersion !== network.weightsVersion) {
      graph.session.run(weightFeeds(network.weights, statistics), [SET_WEIGHTS]);
      graph.weightsVersion = network.weightsVersion;
    }
    return graph;
  }
}

function readOutcome(
  { layout }: Network,
  { method, labels }: GradientInput,
  outcome: Float32Array<ArrayBuffer>,
  counts: MicrobatchGraph['counts'],
): Omit<LeafResult, 'gradient' | 'masks'> {
  const outputSize = labels.length * layout.bits;
  let position = 0;
  const next = (length: number) => {
    const part = outcome.slice(position, position + length);
    position += length;
    return part;
  };
  const losses = new Float64Array(next(lossWords).buffer);
  const u = next(outputSize);
  const positiveU = usesPositives(method) ? next(outputSize) : null;
  const erasedU = usesErasing(method) ? next(outputSize) : null;
  const passes = counts.map((countsOfPass): ReadStatistics[] => {
    const mean = next(layout.statisticsCount);
    const variance = next(layout.statisticsCount);
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
