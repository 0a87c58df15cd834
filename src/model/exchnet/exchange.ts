import type { Tensor3D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import type { MethodSettings } from '../../methods/settings.js';
import { checkElements } from '../error.js';
import type { ExchangeTensors } from './local-features.js';
import type { PlacedParts } from './parts.js';

/** What the rows of a microbatch exchange their local features with, outside the engine. */
export interface Exchange {
  /** `[parts, rows, featureWidth]`, as of `ExchangeTensors` */
  readonly anchors: Float32Array;
  /** `[parts, rows, featureWidth]`, as of `ExchangeTensors` */
  readonly kept: Float32Array;
  /** t of the channel term, then the weights of the terms `[4]` */
  readonly scalars: Float32Array;
}

/** What an exchange is made from. */
export interface ExchangeSource {
  readonly settings: MethodSettings['exchnet'];
  readonly own: Pick<PlacedParts, 'parts'>;
  readonly featureWidth: number;
  /** Classes `[rows]` */
  readonly labels: Int32Array;
  /** Rows of the whole batch. */
  readonly batchRows: number;
  /** The parts that each row takes from its class: bit j for part j `[rows]` */
  readonly exchanged: Uint32Array;
  /** c of every class `[classes, parts, featureWidth]`; null while there are none: then nothing is exchanged. */
  readonly anchored: Float32Array | null;
}

/** Gathers the anchors of the rows' classes. */
export function exchangeOf(source: ExchangeSource): Exchange {
  const { settings, own, featureWidth, labels, batchRows, exchanged, anchored } = source;
  const { parts } = own;
  const rows = labels.length;
  const anchors = new Float32Array(parts * rows * featureWidth);
  const kept = new Float32Array(anchors.length).fill(1);
  if (anchored) {
    labels.forEach((label, row) => {
      for (let part = 0; part < parts; part++) {
        const begin = (label * parts + part) * featureWidth;
        const target = (part * rows + row) * featureWidth;
        anchors.set(anchored.subarray(begin, begin + featureWidth), target);
        if ((exchanged[row]! >>> part) & 1) kept.fill(0, target, target + featureWidth);
      }
    });
  }
  const alignment = anchored ? settings.alignment / (batchRows * parts * featureWidth) : 0;
  const scalars = Float32Array.of(
    settings.margin,
    settings.spatial / batchRows,
    settings.channel / batchRows,
    alignment,
  );
  return { anchors, kept, scalars };
}

/** An exchange that `checkExchange` accepts, on the engine. */
export function exchangeTensors(
  { anchors, kept, scalars }: Exchange,
  shape: readonly [parts: number, rows: number, featureWidth: number],
): ExchangeTensors {
  const [margin, ...weights] = [...scalars].map((value) => tf.scalar(value));
  return {
    anchors: tf.tensor3d(anchors, [...shape]) as Tensor3D,
    kept: tf.tensor3d(kept, [...shape]) as Tensor3D,
    margin: margin!,
    weights: weights as [tf.Scalar, tf.Scalar, tf.Scalar],
  };
}

/** @throws ModelError `MODEL_SHAPE` */
export function checkExchange(
  { anchors, kept }: Pick<Exchange, 'anchors' | 'kept'>,
  shape: readonly [parts: number, rows: number, featureWidth: number],
): void {
  const elements = shape.reduce((product, extent) => product * extent, 1);
  checkElements('the anchored features of a microbatch', anchors.length, elements);
  checkElements('the exchange of a microbatch', kept.length, elements);
}
