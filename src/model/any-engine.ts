import type { Tensor, TensorContainer } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { graphRuntime } from '../engine/graph/runtime.js';
import { readsAtOnce, readValues } from '../engine/reading.js';
import { forwardPasses, momentPasses } from '../methods/passes.js';
import type { WirePrecision } from '../run/training-run.js';
import { byImage, type EncodedImages, encodeImages } from './encode.js';
import { checkElements } from './error.js';
import type { ExchangeTensors } from './exchnet/local-features.js';
import {
  checkInput,
  computeGradient,
  type ErasedAnchors,
  eraseHottest,
  exchangeInEngine,
  type FeatureMaps,
  type GradientInput,
  imagesOfPass,
  imageTensor,
  knownLoss,
  type LeafResult,
  lossOfOutputs,
  outputsOfLoss,
  withTerms,
} from './fcaenet.js';
import type { GradientMemory, GradientSums } from './gradient-sums.js';
import { GraphSums } from './graph/graph-sums.js';
import { NetworkGraphs } from './graph/network-graphs.js';
import {
  type Features,
  momentsOf,
  type Network,
  type ReadStatistics,
  type TrainingFeatures,
} from './network.js';
import { normalizeImages } from './preprocess.js';

/** Graphs of the networks that have any. */
const graphsOf = new WeakMap<Network, NetworkGraphs>();

/** The network's graphs where the engine runs any, else null. */
function graphs(network: Network): NetworkGraphs | null {
  const runtime = graphRuntime();
  if (!runtime) return null;
  let known = graphsOf.get(network);
  if (!known) {
    const created = new NetworkGraphs(runtime, network);
    graphsOf.set(network, created);
    network.onDispose(() => created.dispose());
    known = created;
  }
  return known;
}

/**
 * SHA-256 (hex) of the graph that the network's last microbatch was computed with; empty where the engine runs no
 * graphs.
 */
export function microbatchGraphHash(network: Network): string {
  return graphsOf.get(network)?.microbatchSha256 ?? '';
}

/**
 * Computes microbatches of one batch and sums their gradients in the engine; null where the engine runs no graphs.
 * @param rows numbers of rows of the batch's microbatches, ascending
 * @param precision to which gradients and sums are rounded
 */
export function gradientSumsInEngine(
  network: Network,
  rows: readonly number[],
  precision: WirePrecision,
  memory: GradientMemory,
): GradientSums | null {
  const own = graphs(network);
  return own && new GraphSums(own, rows, precision, memory);
}

/**
 * `computeGradient` on any engine, of normalised images or of bytes: as one graph where the engine runs graphs. Where
 * values can be read at once it is that function, and the promise only its wrapping. Elsewhere (WebGPU) nothing can be
 * read while the tape records, so the passes run once for their outputs, and once more under the tape with the loss'
 * gradients already known.
 *
 * @throws as `computeGradient`; EngineError `ENGINE_GRAPH` where TensorFlow cannot run the graph
 */
export async function computeGradientAnywhere(
  network: Network,
  given: GradientInput<Float32Array | Uint8Array>,
): Promise<LeafResult> {
  const oneCall = graphs(network);
  if (oneCall) return oneCall.computeGradient(given);
  const input = normalized(network, given);
  if (readsAtOnce()) return computeGradient(network, input);
  checkInput(network, input);
  const outputsOf = (pass: Features) => outputsOfLoss(pass, input);
  const exchange = () => exchangeInEngine(network, input);
  const images: Float32Array[] = [];
  const passes: ReadPass[] = [];
  let erasing: ErasedAnchors | null = null;
  for (const pass of forwardPasses(input)) {
    if (pass.includes('erased')) erasing = eraseHottest(network, passes[0]!.featureMaps, input);
    const own = imagesOfPass(pass, input, erasing);
    images.push(own);
    passes.push(await runPass(network, own, outputsOf, exchange));
  }
  const values = passes.map(({ u }) => u);
  const { gradients, ...outputs } = lossOfOutputs(network, input, values, passes[0]!.terms);
  const gradient = await backward(network, input.gradient, () => {
    const features = images.map((pass) => network.forwardTrain(imageTensor(network, pass), exchange()));
    return withTerms(knownLoss(features.map(outputsOf), gradients), features[0]!.terms);
  });
  return {
    ...outputs,
    gradient,
    masks: erasing?.masks ?? null,
    moments: momentsOf(
      network.layout,
      passes.slice(0, momentPasses(input)).map(({ statistics }) => statistics),
    ),
  };
}

/** `encodeImages` on any engine, of normalised images or of bytes. */
export async function encodeImagesAnywhere(
  network: Network,
  given: Float32Array | Uint8Array,
  count: number,
): Promise<EncodedImages> {
  const { height, width } = network.layout;
  checkElements('a batch of images', given.length, count * height * width * 3);
  const oneCall = graphs(network);
  if (oneCall) return oneCall.encode(given, count);
  const images = normalizedImages(network, given);
  if (readsAtOnce()) return encodeImages(network, images, count);
  const outputs = tf.tidy(() => {
    const { u, pooled, local } = network.forwardEval(imageTensor(network, images));
    return [u, pooled, ...(local ? [local] : [])] as Tensor[];
  });
  try {
    const [u, features, local] = await readValues(outputs);
    return { u: u!, features: features!, local: local ? byImage(local, count, network.layout) : null };
  } finally {
    tf.dispose(outputs);
  }
}

/**
 * z = W f + b of a microbatch in train mode, on any engine: what a loss over pairs takes. Where no graph is run, z has
 * the bits that the microbatch's gradient is computed from.
 * @param given normalised images, or bytes `[count, height, width, 3]`
 * @returns `[count, outputs]`
 */
export async function trainingOutputsAnywhere(
  network: Network,
  given: Float32Array | Uint8Array,
  count: number,
): Promise<Float32Array<ArrayBuffer>> {
  const { height, width } = network.layout;
  checkElements('a batch of images', given.length, count * height * width * 3);
  const oneCall = graphs(network);
  if (oneCall) return oneCall.trainingOutputs(given, count);
  const images = normalizedImages(network, given);
  const outputs = tf.tidy(() => network.forwardTrain(imageTensor(network, images)).linear);
  try {
    const [linear] = readsAtOnce() ? [Float32Array.from(outputs.dataSync())] : await readValues([outputs]);
    return linear!;
  } finally {
    tf.dispose(outputs);
  }
}

function normalized(
  network: Network,
  { anchors, positives, ...input }: GradientInput<Float32Array | Uint8Array>,
): GradientInput {
  return {
    ...input,
    anchors: normalizedImages(network, anchors),
    positives: positives && normalizedImages(network, positives),
  };
}

function normalizedImages({ layout }: Network, images: Float32Array | Uint8Array): Float32Array {
  return images instanceof Uint8Array ? normalizeImages(images, layout.trunk.preprocessing) : images;
}

interface ReadPass {
  /** What the loss takes `[rows, bits]` */
  readonly u: Float32Array<ArrayBuffer>;
  readonly featureMaps: FeatureMaps;
  readonly statistics: readonly ReadStatistics[];
  /** The terms of the loss that the method's own network adds. */
  readonly terms: readonly number[];
}

/** A forward pass in train mode, with all its results read from the engine. */
async function runPass(
  network: Network,
  images: Float32Array,
  outputsOf: (pass: Features) => Tensor,
  exchange: () => ExchangeTensors | null,
): Promise<ReadPass> {
  const features = tf.tidy(
    () =>
      network.forwardTrain(imageTensor(network, images), exchange()) as TrainingFeatures & TensorContainer,
  );
  try {
    const { featureMap, statistics, terms } = features;
    const moments = statistics.flatMap(({ mean, variance }) => [mean, variance]);
    const read = await readValues([outputsOf(features), featureMap, ...terms, ...moments]);
    const [outputs, map] = read;
    const values = read.slice(2 + terms.length);
    return {
      u: outputs!,
      featureMaps: { shape: featureMap.shape, values: map! },
      statistics: statistics.map(({ count }, layer) => ({
        count,
        mean: values[2 * layer]!,
        variance: values[2 * layer + 1]!,
      })),
      terms: terms.map((_, index) => read[2 + index]![0]!),
    };
  } finally {
    tf.dispose(features);
  }
}

/** Derivatives of a loss by every parameter, in layout order. */
async function backward(
  { layout, variables }: Network,
  target: Float32Array<ArrayBuffer> | undefined,
  loss: () => tf.Scalar,
): Promise<Float32Array<ArrayBuffer>> {
  const { value, grads } = tf.tidy(() => tf.variableGrads(loss, [...variables]));
  try {
    const values = await readValues(variables.map(({ name }) => grads[name]!));
    const gradient = target ?? new Float32Array(layout.parameterCount);
    layout.parameters.forEach(({ offset }, index) => {
      gradient.set(values[index]!, offset);
    });
    return gradient;
  } finally {
    tf.dispose([value, ...Object.values(grads)]);
  }
}
