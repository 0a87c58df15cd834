import type { GraphRuntime } from '../../engine/graph/runtime.js';
import { GraphSession, type OutputValues } from '../../engine/graph/session.js';
import { usesErasing, usesPositives } from '../../run/methods.js';
import type { EncodedImages } from '../encode.js';
import { checkInput, type GradientInput, type LeafResult } from '../fcaenet.js';
import { momentsOf, type Network, type ReadStatistics } from '../network.js';
import { encodeNodes, traceEncode } from './encode.js';
import { lossHeadFeed } from './loss-head.js';
import { type MicrobatchGraph, microbatchNodes, traceMicrobatch } from './microbatch.js';
import { pictureFeed, pictureForm } from './pictures.js';
import { setWeightsSignature, weightFeeds } from './weights.js';

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
  private lastMicrobatchSha256 = '';

  constructor(
    private readonly runtime: GraphRuntime,
    private readonly network: Network,
  ) {}

  /** SHA-256 (hex) of the graph that the last microbatch was computed with; empty before the first. */
  get microbatchSha256(): string {
    return this.lastMicrobatchSha256;
  }

  /** `computeGradient` in one call, of normalised images or of bytes. */
  computeGradient(input: GradientInput<Float32Array | Uint8Array>): LeafResult {
    const { network } = this;
    const { layout } = network;
    checkInput(network, input);
    const { method, erasing, anchors, positives } = input;
    const shape = { method, erasing, rows: input.labels.length, form: pictureForm(anchors) };
    const { session, counts } = this.ready(`microbatch ${JSON.stringify(shape)}`, false, () =>
      traceMicrobatch(layout, shape),
    );
    this.lastMicrobatchSha256 = session.sha256;
    const feeds = [
      pictureFeed(microbatchNodes.anchors, anchors, layout),
      ...(positives ? [pictureFeed(microbatchNodes.positives, positives, layout)] : []),
      lossHeadFeed(input),
    ];
    const gradient = input.gradient ?? new Float32Array(layout.parameterCount);
    const rest: OutputValues[] = [];
    session.runEach(
      feeds,
      [
        ...layout.parameters.map((_, index) => microbatchNodes.gradient(index)),
        microbatchNodes.outcome,
        ...(usesErasing(method) ? [microbatchNodes.mask] : []),
      ],
      (values, index) => {
        const parameter = layout.parameters[index];
        if (parameter) gradient.set(values, parameter.offset);
        else rest.push(values);
      },
    );
    const [outcome, masks = null] = rest as [Float32Array<ArrayBuffer>, Uint8Array<ArrayBuffer>?];
    return { gradient, masks, ...readOutcome(network, input, outcome, counts) };
  }

  /** `encodeImages` in one call, of normalised images or of bytes. */
  encode(images: Float32Array | Uint8Array, rows: number): EncodedImages {
    const { layout } = this.network;
    const form = pictureForm(images);
    const { session } = this.ready(`encode ${rows} ${form}`, true, () => ({
      graph: traceEncode(layout, rows, form),
      counts: [],
    }));
    const [outcome] = session.run(
      [pictureFeed(encodeNodes.images, images, layout)],
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
      graph.session.run(weightFeeds(network.weights, statistics), [setWeightsSignature]);
      graph.weightsVersion = network.weightsVersion;
    }
    return graph;
  }
}

function readOutcome(
  { layout }: Network,
  { method, labels }: GradientInput<Float32Array | Uint8Array>,
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
