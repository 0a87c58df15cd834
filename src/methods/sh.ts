import { MethodError } from './error.js';
import { projections, signs } from './hyperplanes.js';
import { type Matrix, zeros } from './matrix.js';
import type { FeatureHashing } from './method.js';
import { principalComponents } from './principal-components.js';

/**
 * Spectral hashing (Weiss, Torralba and Fergus, 2008). The features' principal components y are taken as uniform in the
 * box [aⱼ, bⱼ]. The eigenfunctions of the box's Laplacian that vary along one direction are
 * Φⱼₘ(x) = sin(π/2 + mπ (yⱼ − aⱼ) / (bⱼ − aⱼ)), m = 1, 2, …, of which the (m / (bⱼ − aⱼ))² are in the order of the
 * eigenvalues. The bits are the signs of the `bits` smoothest, those with the smallest eigenvalues.
 */
export const sh: FeatureHashing = {
  learn({ features, dimension, bits }) {
    const { mean, components } = principalComponents(features, dimension, bits);
    if (components.rows === 0) {
      throw new MethodError(
        'METHOD_RANK',
        `the features of the ${features.length / dimension} training images vary in 0 directions, but sh needs at least one`,
      );
    }
    const box = boxOf(projections(features, mean, components));
    return { mean, components, box, modes: smoothestModes(box, bits) };
  },

  hash({ mean, components, box, modes }, features) {
    const projected = projections(features, mean!, components!);
    const { columns, data } = projected;
    const values = zeros(projected.rows, modes!.rows);
    for (let row = 0, at = 0; row < values.rows; row++) {
      for (let bit = 0; bit < values.columns; bit++) {
        const [j, m] = [modes!.data[2 * bit]!, modes!.data[2 * bit + 1]!];
        const [from, to] = [box!.data[2 * j]!, box!.data[2 * j + 1]!];
        const place = (data[row * columns + j]! - from) / (to - from);
        values.data[at++] = Math.sin(Math.PI / 2 + m * Math.PI * place);
      }
    }
    return signs(values);
  },
};

/** Smallest and largest value of each direction `[directions, 2]` */
function boxOf({ rows, columns, data }: Matrix): Matrix {
  const box = zeros(columns, 2);
  for (let j = 0; j < columns; j++) {
    const values = Array.from({ length: rows }, (_, row) => data[row * columns + j]!);
    box.data[2 * j] = values.reduce((least, value) => Math.min(least, value));
    box.data[2 * j + 1] = values.reduce((most, value) => Math.max(most, value));
  }
  return box;
}

/**
 * The direction j and the number m of the smoothest eigenfunctions, in the order of m / (bⱼ − aⱼ), equal ones in the
 * order of directions `[bits, 2]`.
 */
function smoothestModes(box: Matrix, bits: number): Matrix {
  const candidates = Array.from(
    { length: box.rows },
    (_, j) => box.data[2 * j + 1]! - box.data[2 * j]!,
  ).flatMap((extent, j) =>
    Array.from({ length: bits }, (_, i) => ({ j, m: i + 1, frequency: (i + 1) / extent })),
  );
  const smoothest = candidates
    .sort((left, right) => left.frequency - right.frequency || left.j - right.j)
    .slice(0, bits);
  return { rows: bits, columns: 2, data: Float64Array.from(smoothest.flatMap(({ j, m }) => [j, m])) };
}
