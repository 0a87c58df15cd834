import type { Scalar, Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { copyValues } from '../engine/copy-values.js';
import { type Method, usesPositives } from '../methods/methods.js';
import { type BatchNormalisation, type ForwardPass, forwardPasses, momentPasses } from '../methods/passes.js';
import { attentionMap } from './attention.js';
import type { BatchNormMoments } from './batch-norm-moments.js';
import { byBranch, ofPass } from './branches.js';
import { type ErasingSettings, eraseImage, erasingMask } from './erasing.js';
import { checkElements, ModelError } from './error.js';
import { checkExchange, type Exchange, exchangeTensors } from './exchnet/exchange.js';
import type { ExchangeTensors } from './exchnet/local-features.js';
import type { NetworkLayout } from './layout.js';
import { computeLoss, type LossInput, lossTerms } from './loss.js';
import { type Features, type Network, readMoments, type TrainingFeatures } from './network.js';

/** One microbatch: some rows of a batch. */
export type GradientInput<Images extends Float32Array | Uint8Array = Float32Array> =
  | AdshInput<Images>
  | KnownLossInput<Images>;

/** A microbatch whose loss is ADSH's, with the method's terms. */
export interface AdshInput<Images extends Float32Array | Uint8Array = Float32Array>
  extends Microbatch<Images>,
    LossInput {
  readonly outputGradient?: undefined;
}

/** A microbatch whose part of the loss is known. */
export interface KnownLossInput<Images extends Float32Array | Uint8Array = Float32Array>
  extends Microbatch<Images> {
  /** Classes `[rows]` */
  readonly labels: Int32Array;
  /** Derivatives of the batch's loss by z, the hash layer's values before tanh `[rows, outputs]` */
  readonly outputGradient: Float32Array<ArrayBuffer>;
}

interface Microbatch<Images extends Float32Array | Uint8Array> {
  readonly method: Method;
  /** Normalised images, or bytes that are still to be normalised `[rows, height, width, 3]` */
  readonly anchors: Images;
  /** The same of the positives where the method uses them, else null. */
  readonly positives: Images | null;
  readonly erasing: ErasingSettings;
  readonly batchNormalisation: BatchNormalisation;
  /** What local features are exchanged with; absent where the network has none. */
  readonly exchange?: Exchange;
  /** Where to write the gradient `[parameterCount]`; new memory by default. */
  readonly gradient?: Float32Array<ArrayBuffer>;
}

/** A microbatch's contribution to its batch. */
export interface LeafResult {
  /** Derivatives of the batch's loss `[parameterCount]` in layout order, this microbatch's part. */
  readonly gradient: Float32Array<ArrayBuffer>;
  /** Outputs of the anchors `[rows, bits]` before the update; z where the loss is known. */
  readonly u: Float32Array<ArrayBuffer>;
  /** The same for the positives, null when the method has none. */
  readonly positiveU: Float32Array<ArrayBuffer> | null;
  /** The same for the erased anchors, null when the method has none. */
  readonly erasedU: Float32Array<ArrayBuffer> | null;
  /** SREM's masks of the anchors `[rows, height, width]`, 0 = erased; null when the method does not erase. */
  readonly masks: Uint8Array<ArrayBuffer> | null;
  /** This microbatch's part of the batch's loss, in the order of `lossTermsOf`; 0 where it is known. */
  readonly losses: Float64Array<ArrayBuffer>;
  /** Of the passes that move the running statistics. */
  readonly moments: BatchNormMoments;
}

/**
 * Gradient of the loss for one microbatch. Pass 1 runs [anchors; positives] as ONE BatchNorm batch: only the anchors
 * when the method has no positives, or when these are a batch of their own, which runs next. The last pass runs the
 * anchors, erased at the highest attention of pass 1. Then the loss is computed in float64, and one backward pass goes
 * through all. Where the loss is known, there is only the backward pass. The result depends only on the weights and the
 * input. No tensor outlives the call.
 * @throws ModelError `MODEL_SHAPE` when an input's length does not match, `MODEL_POSITIVES` when positives are missing
 * or not used
 */
export function computeGradient(network: Network, input: GradientInput): LeafResult {
  checkInput(network, input);
  const { layout } = network;
  const variables = [...network.variables];
  const gradient = input.gradient ?? new Float32Array(layout.parameterCount);
  let forward: Omit<LeafResult, 'gradient'> | undefined;
  tf.tidy(() => {
    const { grads } = tf.variableGrads(() => {
      const { loss, ...rest } = runPasses(network, input);
      forward = rest;
      return loss;
    }, variables);
    layout.parameters.forEach(({ offset }, index) => {
      copyValues(grads[variables[index]!.name]!, gradient, offset);
    });
  });
  return { ...forward!, gradient };
}

function runPasses(
  network: Network,
  input: GradientInput,
): Omit<LeafResult, 'gradient'> & { readonly loss: Scalar } {
  const exchange = exchangeInEngine(network, input);
  const passes: TrainingFeatures[] = [];
  let erasing: ErasedAnchors | null = null;
  for (const pass of forwardPasses(input)) {
    if (pass.includes('erased')) erasing = eraseHottest(network, valuesOf(passes[0]!.featureMap), input);
    const images = imageTensor(network, imagesOfPass(pass, input, erasing));
    passes.push(network.forwardTrain(images, exchange));
  }
  const by = passes.map((pass) => outputsOfLoss(pass, input));
  const values = by.map((outputs) => Float32Array.from(outputs.dataSync()));
  const { terms } = passes[0]!;
  const own = terms.map((term) => term.dataSync()[0]!);
  const { gradients, ...outputs } = lossOfOutputs(network, input, values, own);
  return {
    ...outputs,
    masks: erasing?.masks ?? null,
    moments: readMoments(network.layout, passes.slice(0, momentPasses(input))),
    loss: withTerms(knownLoss(by, gradients), terms),
  };
}

/** What the loss of a microbatch is differentiated by: u, or z where it is known. */
export function outputsOfLoss({ linear, u }: Features, { outputGradient }: GradientInput): Tensor2D {
  return outputGradient ? linear : u;
}

/** What a pass is given. @param erasing of the anchors; null before any are erased */
export function imagesOfPass(
  pass: ForwardPass,
  { anchors, positives }: GradientInput,
  erasing: ErasedAnchors | null,
): Float32Array {
  return ofPass(pass, { anchor: anchors, positive: positives, erased: erasing?.images ?? null });
}

/** What a microbatch exchanges its local features with, as tensors; null where the network has none. */
export function exchangeInEngine(
  { layout }: Network,
  { exchange, labels }: GradientInput,
): ExchangeTensors | null {
  if (!layout.own) return null;
  return exchangeTensors(exchange!, [layout.own.parts, labels.length, layout.featureWidth]);
}

/**
 * The loss of all passes, outside the engine.
 * @param outputs of each pass `[rows of its branches, bits]`
 * @param own the terms that the method's own network adds
 * @returns with it the gradients by the outputs of each pass
 */
export function lossOfOutputs(
  { layout }: Network,
  input: GradientInput,
  outputs: readonly Float32Array<ArrayBuffer>[],
  own: readonly number[],
): Pick<LeafResult, 'u' | 'positiveU' | 'erasedU' | 'losses'> & { readonly gradients: Float32Array[] } {
  if (input.outputGradient) {
    const losses = new Float64Array(lossTerms.length);
    const u = codeColumns(outputs[0]!, layout);
    return { u, positiveU: null, erasedU: null, losses, gradients: [input.outputGradient] };
  }
  const passes = forwardPasses(input);
  const { anchor, positive, erased } = byBranch(passes, outputs, input.labels.length * layout.bits);
  const u = anchor!;
  const { losses, gradients } = computeLoss({ anchor: u, positive, erased }, input);
  return {
    u,
    positiveU: positive,
    erasedU: erased,
    losses: Float64Array.of(...losses, ...own),
    gradients: passes.map((pass) => ofPass(pass, gradients)),
  };
}

/** Of the outputs of each image in training, those that its code is made of `[rows, bits]` */
export function codeColumns(
  outputs: Float32Array<ArrayBuffer>,
  layout: Pick<NetworkLayout, 'bits' | 'outputs'>,
): Float32Array<ArrayBuffer> {
  if (layout.outputs === layout.bits) return outputs;
  const codes = new Float32Array((outputs.length / layout.outputs) * layout.bits);
  for (let row = 0; row * layout.bits < codes.length; row++) {
    const begin = row * layout.outputs;
    codes.set(outputs.subarray(begin, begin + layout.bits), row * layout.bits);
  }
  return codes;
}

/** Puts a loss computed outside the engine on the tape, with its gradients by `u`. Nobody reads its value. */
export function knownLoss(u: Tensor2D[], gradients: Float32Array[]): Scalar {
  const loss = tf.customGrad(() => ({
    value: tf.scalar(0),
    gradFunc: (dy: Tensor) =>
      gradients.map((values, index) => tf.mul(dy, tf.tensor(values, u[index]!.shape))),
  }));
  return loss(...u) as Scalar;
}

/** The sum of a loss and of terms that are on the tape. */
export function withTerms(loss: Scalar, terms: readonly Scalar[]): Scalar {
  return terms.reduce((sum, term) => tf.add(sum, term), loss);
}

/** Feature maps `[rows or more, height, width, channels]` outside the engine, those of the anchors first. */
export interface FeatureMaps {
  readonly shape: readonly [rows: number, height: number, width: number, channels: number];
  readonly values: Float32Array;
}

function valuesOf(featureMap: tf.Tensor4D): FeatureMaps {
  return { shape: featureMap.shape, values: featureMap.dataSync<'float32'>() };
}

export interface ErasedAnchors {
  /** `[rows, height, width, 3]` */
  readonly images: Float32Array;
  /** `[rows, height, width]`, 0 = erased */
  readonly masks: Uint8Array<ArrayBuffer>;
}

/** The anchors with SREM's mask, from the attention of their own feature maps. */
export function eraseHottest(
  network: Network,
  { shape, values }: FeatureMaps,
  input: GradientInput,
): ErasedAnchors {
  const { height, width } = network.layout;
  const [, mapHeight, mapWidth, channels] = shape;
  const mapSize = mapHeight * mapWidth * channels;
  const imageSize = height * width * 3;
  const images = new Float32Array(input.anchors.length);
  const masks = new Uint8Array(images.length / 3);
  for (let row = 0; row < input.labels.length; row++) {
    const attention = attentionMap(
      values.subarray(row * mapSize, (row + 1) * mapSize),
      { height: mapHeight, width: mapWidth },
      channels,
      network.layout,
    );
    const mask = erasingMask(attention, network.layout, input.erasing);
    masks.set(mask, row * mask.length);
    const begin = row * imageSize;
    eraseImage(
      input.anchors.subarray(begin, begin + imageSize),
      mask,
      images.subarray(begin, begin + imageSize),
    );
  }
  return { images, masks };
}

/** Images `[rows, height, width, 3]` as a tensor of the engine. */
export function imageTensor(network: Network, images: Float32Array): tf.Tensor4D {
  const { height, width } = network.layout;
  return tf.tensor4d(images, [images.length / (height * width * 3), height, width, 3]);
}

/** Throws what `computeGradient` throws. */
export function checkInput(network: Network, input: GradientInput<Float32Array | Uint8Array>): void {
  const { layout } = network;
  if (input.gradient) checkElements('a gradient', input.gradient.length, layout.parameterCount);
  const { anchors, positives, labels, method, outputGradient, exchange } = input;
  const elements = labels.length * layout.height * layout.width * 3;
  checkElements('a batch of anchors', anchors.length, elements);
  if (usesPositives(method) !== (positives !== null)) {
    const problem = positives ? 'got positives it does not use' : 'needs positives and got none';
    throw new ModelError('MODEL_POSITIVES', `method ${method} ${problem}`);
  }
  if (positives) checkElements('a batch of positives', positives.length, elements);
  if ((layout.own !== null) !== (exchange !== undefined)) {
    const problem = exchange
      ? 'got an exchange of features it does not have'
      : 'needs an exchange and got none';
    throw new ModelError('MODEL_SHAPE', `a network of method ${method} ${problem}`);
  }
  if (exchange) checkExchange(exchange, [layout.own!.parts, labels.length, layout.featureWidth]);
  if (outputGradient) {
    checkElements('a gradient by outputs', outputGradient.length, labels.length * layout.outputs);
  }
}
