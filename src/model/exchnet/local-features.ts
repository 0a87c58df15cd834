import type { Scalar, Tensor2D, Tensor3D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { type ApplyFilter, runLayers } from '../run-layers.js';
import { meanHellinger } from './diversity.js';
import type { PlacedParts } from './parts.js';

/** Local features of some images, those of the first part first. The caller owns the tensors. */
export interface LocalFeatures {
  /** f of every part `[parts, rows, featureWidth]` */
  readonly pooled: Tensor3D;
  /** Local feature maps, averaged over their channels `[parts, rows, height · width]` */
  readonly maps: Tensor3D;
}

/** What a microbatch exchanges its local features with, on the engine. */
export interface ExchangeTensors {
  /** c of every row's class; 0 while there are none `[parts, rows, featureWidth]` */
  readonly anchors: Tensor3D;
  /** 1 where a row keeps its own feature, 0 where it takes the anchor's `[parts, rows, featureWidth]` */
  readonly kept: Tensor3D;
  /** t of the channel term. */
  readonly margin: Scalar;
  /** Weights of the terms, divided by what each is a mean over. */
  readonly weights: readonly [spatial: Scalar, channel: Scalar, alignment: Scalar];
}

/** What the hash layer takes of the local features, and the terms of the loss. */
export interface ExchangedFeatures {
  /** `[parts, rows, featureWidth]` */
  readonly features: Tensor3D;
  /** In the order of `OwnNetwork.terms`. */
  readonly terms: readonly Scalar[];
}

/**
 * ExchNet's local branch (equations 1 to 3 of its paper).
 * @param shared E, output of the trunk before its last stage `[rows, height, width, channels]`; the caller still owns it
 */
export function localFeatures(own: PlacedParts, shared: Tensor4D, apply: ApplyFilter): LocalFeatures {
  const [rows] = shared.shape;
  const attention = runLayers(own.attention, shared, apply);
  const attended = attend(shared, attention);
  attention.dispose();
  const map = runLayers(own.local, attended, apply);
  attended.dispose();
  const pooled = tf.tidy(() => tf.reshape(tf.mean(map, [1, 2]), [own.parts, rows, -1]) as Tensor3D);
  const maps = tf.tidy(() => tf.reshape(tf.mean(map, 3), [own.parts, rows, -1]) as Tensor3D);
  map.dispose();
  return { pooled, maps };
}

/** Puts the anchors' features in the place of some local ones (equation 8), and computes the terms of the loss. */
export function exchangeFeatures(
  { pooled, maps }: LocalFeatures,
  { anchors, kept, margin, weights }: ExchangeTensors,
): ExchangedFeatures {
  const difference = tf.sub<Tensor3D>(pooled, anchors);
  const features = tf.tidy(() => tf.add<Tensor3D>(anchors, tf.mul(kept, difference)));
  const [spatial, channel, alignment] = weights;
  const terms = [
    tf.mul<Scalar>(spatial, tf.sum(tf.sub(1, meanHellinger(maps)))),
    tf.mul<Scalar>(channel, tf.sum(tf.relu(tf.sub(margin, meanHellinger(pooled))))),
    tf.mul<Scalar>(alignment, tf.sum(tf.mul(difference, difference))),
  ];
  return { features, terms };
}

/**
 * The hash layer on concatenated features.
 * @param local `[parts, rows, featureWidth]`
 * @param global `[rows, featureWidth]`
 * @param weight `[(parts + 1) · featureWidth, bits]`
 * @returns W [f¹; …; fᴹ; f] `[rows, bits]`, without the bias
 */
export function hashLocalFeatures(local: Tensor3D, global: Tensor2D, weight: Tensor2D): Tensor2D {
  const [parts, rows, width] = local.shape;
  return tf.tidy(() => {
    const all = tf.concat([local, tf.reshape(global, [1, rows, width])], 0);
    return tf.sum<Tensor2D>(tf.matMul(all, tf.reshape(weight, [parts + 1, width, -1])), 0);
  });
}

/**
 * E ∘ Aʲ for every part (equation 1), those of the first part first. The values are spread over channels and parts by
 * matrix products, which every engine computes and differentiates natively.
 * @returns `[parts · rows, height, width, channels]`
 */
function attend(shared: Tensor4D, attention: Tensor4D): Tensor4D {
  const [rows, height, width, channels] = shared.shape;
  const parts = attention.shape[3];
  return tf.tidy(() => {
    const identity = Array.from({ length: parts ** 2 }, (_, i) => Number(i % (parts + 1) === 0));
    const byPart = tf.matMul(
      tf.tensor2d(identity, [parts, parts]),
      tf.reshape(attention, [-1, parts]),
      false,
      true,
    );
    const everywhere = tf.matMul(tf.reshape(byPart, [-1, 1]), tf.ones([1, channels]));
    const copies = tf.matMul(tf.ones([parts, 1]), tf.reshape(shared, [1, -1]));
    const attended = tf.mul(everywhere, tf.reshape(copies, everywhere.shape));
    return tf.reshape(attended, [parts * rows, height, width, channels]) as Tensor4D;
  });
}
