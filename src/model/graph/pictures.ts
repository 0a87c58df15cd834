import type { Graph, Value } from '../../engine/graph/graph.js';
import { cast, divide, double, subtract } from '../../engine/graph/operations.js';
import type { Feed } from '../../engine/graph/session.js';
import type { NetworkLayout } from '../layout.js';
import { scalings } from '../preprocess.js';

/** How pictures come: normalised, or as bytes that the graph normalises. */
export type PictureForm = 'normalised' | 'bytes';

export function pictureForm(images: Float32Array | Uint8Array): PictureForm {
  return images instanceof Uint8Array ? 'bytes' : 'normalised';
}

/** A placeholder of pictures, and their normalised values `[rows, height, width, 3]`. */
export function addPictures(
  graph: Graph,
  name: string,
  rows: number,
  form: PictureForm,
  { height, width, trunk }: NetworkLayout,
): Value {
  const shape = [rows, height, width, 3];
  if (form === 'normalised') return graph.placeholder(name, 'float32', shape);
  const { divisor, mean, deviation } = scalings[trunk.preprocessing];
  const perChannel = (values: readonly number[]) => graph.constant(Float64Array.from(values), [3]);
  // As `normalizeImages`: in float64, and rounded once.
  const units = divide(cast(graph.placeholder(name, 'uint8', shape), 'float64'), double(graph, divisor));
  return cast(divide(subtract(units, perChannel(mean)), perChannel(deviation)), 'float32');
}

/** What a placeholder of `addPictures` is fed. */
export function pictureFeed(name: string, images: Float32Array | Uint8Array, layout: NetworkLayout): Feed {
  const { height, width } = layout;
  return { name, shape: [images.length / (height * width * 3), height, width, 3], values: images };
}
