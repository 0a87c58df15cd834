import { checkLength } from './error.js';
import type { Matrix } from './matrix.js';

/** Mean of features `[n, dimension]`, in float64 `[1, dimension]`. */
export function featureMean(features: Float32Array, dimension: number): Matrix {
  const rows = Math.floor(features.length / dimension);
  checkLength('a matrix of features', features.length, rows * dimension);
  const mean = new Float64Array(dimension);
  for (let i = 0; i < features.length; i++) mean[i % dimension]! += features[i]!;
  return { rows: 1, columns: dimension, data: mean.map((sum) => sum / rows) };
}

/**
 * Features `[rows, dimension]` without their mean, in float64.
 * @param first of the rows to take
 * @param rows to take
 */
export function centredRows(features: Float32Array, mean: Matrix, first: number, rows: number): Matrix {
  const { columns, data: means } = mean;
  const data = new Float64Array(rows * columns);
  for (let row = 0, at = 0; row < rows; row++) {
    const from = (first + row) * columns;
    for (let i = 0; i < columns; i++) data[at++] = features[from + i]! - means[i]!;
  }
  return { rows, columns, data };
}

/**
 * Distances of features from hyperplanes through their mean, times the lengths of the normals.
 * @param features `[n, dimension]`
 * @param mean `[1, dimension]`
 * @param normals `[count, dimension]`
 * @returns `[n, count]`
 */
export function projections(features: Float32Array, mean: Matrix, normals: Matrix): Matrix {
  const { columns } = mean;
  const rows = Math.floor(features.length / columns);
  checkLength('a matrix of features', features.length, rows * columns);
  checkLength('a matrix of normals', normals.data.length, normals.rows * columns);
  const data = new Float64Array(rows * normals.rows);
  for (let row = 0; row < rows; row++) {
    const { data: centred } = centredRows(features, mean, row, 1);
    for (let k = 0; k < normals.rows; k++) {
      let sum = 0;
      for (let i = 0, at = k * columns; i < columns; i++) sum += normals.data[at + i]! * centred[i]!;
      data[row * normals.rows + k] = sum;
    }
  }
  return { rows, columns: normals.rows, data };
}

/** ±1 of each value, with sign(0) = +1. */
export function signs({ data }: Matrix): Int8Array<ArrayBuffer> {
  return Int8Array.from(data, (value) => (value >= 0 ? 1 : -1));
}
