import type { Tensor, TensorContainer } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { readsAtOnce, readValues } from '../engine/reading.js';
import { type EncodedImages, encodeImages } from './encode.js';
import { checkElements } from './error.js';
import {
  checkInput,
  computeGradient,
  eraseHottest,
  type FeatureMaps,
  type GradientInput,
  imageTensor,
  joined,
  knownLoss,
  type LeafResult,
} from './fcaenet.js';
import { computeLoss } from './loss.js';
import { usesErasing } from './method.js';
import { momentsOf, type Network, type ReadStatistics, type TrainingFeatures } from './network.js';

/**
 * `computeGradient` on any engine. An engine that can read values immediately uses `computeGradient` itself. WebGPU
 * cannot read values while the tape records, so the passes run once for their outputs, and again under the tape with
 * the known gradients of the loss.
 * @throws as `computeGradient`
 */
export async function computeGradientAnywhere(network: Network, input: GradientInput): Promise<LeafResult> {
  if (readsAtOnce()) return computeGradient(network, input);
  checkInput(network, input);
  const { layout } = network;
  const { anchors, positives } = input;
  const outputSize = input.labels.length * layout.bits;

  const firstImages = positives ? joined(anchors, positives) : anchors;
  const first = await runPass(network, firstImages);
  const erasing = usesErasing(input.method) ? eraseHottest(network, first.featureMaps, input) : null;
  const second = erasing && (await runPass(network, erasing.images));
  const u = first.u.slice(0, outputSize);
  const positiveU = positives && first.u.slice(outputSize);
  const erasedU = second?.u ?? null;
  const { losses, gradients } = computeLoss({ anchor: u, positive: positiveU, erased: erasedU }, input);

  const firstGradient = gradients.positive ? joined(gradients.anchor, gradients.positive) : gradients.anchor;
  const passes = erasing ? [firstImages, erasing.images] : [firstImages];
  const known = erasing ? [firstGradient, gradients.erased!] : [firstGradient];
  const gradient = await backward(network, input.gradient, () => {
    const outputs = passes.map((images) => network.forwardTrain(imageTensor(network, images)).u);
    return knownLoss(losses, outputs, known);
  });
  return {
    gradient,
    u,
    positiveU,
    erasedU,
    masks: erasing?.masks ?? null,
    losses,
    moments: momentsOf(layout, second ? [first.statistics, second.statistics] : [first.statistics]),
  };
}

/** `encodeImages` on any engine. */
export async function encodeImagesAnywhere(
  network: Network,
  images: Float32Array,
  count: number,
): Promise<EncodedImages> {
  if (readsAtOnce()) return encodeImages(network, images, count);
  const { height, width } = network.layout;
  checkElements('A batch of images', images.length, count * height * width * 3);
  const outputs = tf.tidy(() => {
    const { u, pooled } = network.forwardEval(imageTensor(network, images));
    return [u, pooled] as Tensor[];
  });
  try {
    const [u, features] = await readValues(outputs);
    return { u: u!, features: features! };
  } finally {
    tf.dispose(outputs);
  }
}

interface ReadPass {
  readonly u: Float32Array<ArrayBuffer>;
  readonly featureMaps: FeatureMaps;
  readonly statistics: readonly ReadStatistics[];
}

/** A forward pass in train mode, with all its results read from the engine. */
async function runPass(network: Network, images: Float32Array): Promise<ReadPass> {
  const features = tf.tidy(
    () => network.forwardTrain(imageTensor(network, images)) as TrainingFeatures & TensorContainer,
  );
  try {
    const { u, featureMap, statistics } = features;
    const moments = statistics.flatMap(({ mean, variance }) => [mean, variance]);
    const [outputs, map, ...values] = await readValues([u, featureMap, ...moments]);
    return {
      u: outputs!,
      featureMaps: { shape: featureMap.shape, values: map! },
      statistics: statistics.map(({ count }, layer) => ({
        count,
        mean: values[2 * layer]!,
        variance: values[2 * layer + 1]!,
      })),
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
