import type { Value } from '../../engine/graph/graph.js';
import {
  add,
  cast,
  concat,
  divide,
  double,
  equal,
  gather,
  integer,
  integers,
  multiply,
  pad,
  reduce,
  reshape,
  select,
  subtract,
} from '../../engine/graph/operations.js';
import { attentionEpsilon, type InputPixels, inputPixelsOf, type Size } from '../attention.js';
import type { ErasingSettings } from '../erasing.js';

/**
 * `attentionMap` of each image as operations of a graph, in float64 and with the same roundings but for the order of the
 * sum over the channels.
 *
 * @param featureMap float32 `[rows, height, width, channels]`
 * @returns float64 `[rows, image.height, image.width]`
 */
export function addAttention(featureMap: Value, image: Size): Value {
  const { graph } = featureMap;
  const [, height = 0, width = 0] = featureMap.shape;
  const mean = reduce('Mean', cast(featureMap, 'float64'), [3]);
  const columns = interpolated(mean, 2, inputPixelsOf(width, image.width));
  const upsampled = interpolated(columns, 1, inputPixelsOf(height, image.height));
  const least = reduce('Min', upsampled, [1, 2], true);
  const largest = reduce('Max', upsampled, [1, 2], true);
  const range = add(subtract(largest, least), double(graph, attentionEpsilon));
  return divide(subtract(upsampled, least), range);
}

/** Values between neighbours along an axis. */
function interpolated(x: Value, axis: number, { first, second, fraction }: InputPixels): Value {
  const from = gather(x, first, axis);
  const to = gather(x, second, axis);
  const shape = x.shape.map((_size, i) => (i === axis ? fraction.length : 1));
  return add(from, multiply(x.graph.constant(fraction, shape), subtract(to, from)));
}

/**
 * `erasingMask` of each attention map as operations of a graph, with exactly the same result.
 *
 * @param attention `[rows, height, width]`
 * @returns boolean `[rows, height, width]`, false = erased
 */
export function addErasingMask(attention: Value, { regions, size }: ErasingSettings): Value {
  const { graph, shape } = attention;
  const [rows = 0, height = 0, width = 0] = shape;
  const pixels = height * width;
  const count = Math.min(regions, pixels);
  // Of equal values it takes those with the lowest indices.
  const [, hottest] = graph.add(
    'TopKV2',
    [reshape(attention, [rows, pixels]), integer(graph, count)],
    [
      { type: 'float64', shape: [rows, count] },
      { type: 'int32', shape: [rows, count] },
    ],
    { attributes: { T: { type: 'float64' }, sorted: { flag: false } } },
  );
  const hot = scattered(hottest!, rows, pixels);
  // A pixel is erased if a hot one lies at most size − 1 above and to the left.
  const above = [
    [0, 0],
    [size - 1, 0],
    [size - 1, 0],
    [0, 0],
  ] as const;
  const padded = pad(reshape(hot, [rows, height, width, 1]), above, 0);
  const erased = largestAlong(largestAlong(padded, 2, size), 1, size);
  return equal(reshape(erased, shape), graph.constant(Float32Array.of(0), []));
}

/** 1 at each row's positions, else 0. */
function scattered(positions: Value, rows: number, length: number): Value {
  const { graph, shape } = positions;
  const count = shape[1]!;
  const row = Int32Array.from({ length: rows * count }, (_, i) => Math.floor(i / count));
  const places = concat([graph.constant(row, [rows * count, 1]), reshape(positions, [rows * count, 1])], 1);
  const ones = graph.constant(new Float32Array(rows * count).fill(1), [rows * count]);
  return graph.one(
    'ScatterNd',
    [places, ones, integers(graph, [rows, length])],
    { type: 'float32', shape: [rows, length] },
    { attributes: { T: { type: 'float32' }, Tindices: { type: 'int32' } } },
  );
}

/** Largest value of each window along one axis of `[rows, height, width, 1]`. */
function largestAlong(x: Value, axis: number, window: number): Value {
  const one = { integers: [1, 1, 1, 1] };
  return x.graph.one(
    'MaxPool',
    [x],
    { type: 'float32', shape: x.shape.map((size, i) => (i === axis ? size - window + 1 : size)) },
    {
      attributes: {
        T: { type: 'float32' },
        ksize: { integers: one.integers.map((size, i) => (i === axis ? window : size)) },
        strides: one,
        padding: { text: 'VALID' },
      },
    },
  );
}

/** `eraseImage`: images `[rows, height, width, 3]` with 0 where the mask `[rows, height, width]` is false. */
export function addErasing(images: Value, mask: Value): Value {
  const { graph } = images;
  const kept = reshape(mask, [...mask.shape, 1]);
  const nothing = graph.constant(new Float32Array(1), []);
  return select(kept, images, nothing);
}
