import { centredRows, featureMean, signs } from './hyperplanes.js';
import { gram, type Matrix, times, transposed, transposedTimes, zeros } from './matrix.js';
import type { FeatureHashing, FeatureTraining } from './method.js';
import { ridgeSolver } from './ridge.js';

/**
 * Supervised discrete hashing (Shen, Shen, Liu and Shen, 2015): codes B `[n, bits]` from which a linear classifier W
 * `[bits, classes]` tells the classes Y (one-hot rows), near a hash function F(x) = φ(x)P of a Gaussian kernel:
 * min |Y − BW|² + λ|W|² + ν(|B − φ(X)P|² + δ|P|²), B ∈ {±1}. φ(x) has exp(−|x − aⱼ|² / 2σ²) for each anchor aⱼ, a
 * random training image, and a constant 1; x is centred and of length 1. The code of x is sign(F(x)).
 */
export const sdh: FeatureHashing = {
  learn(training) {
    const { features, dimension, labels, settings, random } = training;
    const mean = featureMean(features, dimension);
    const chosen = random.choose(labels.length, Math.min(settings.sdh.anchors, labels.length));
    const anchors = zeros(chosen.length, dimension);
    chosen.forEach((image, row) => {
      anchors.data.set(unitRows(features, mean, image, 1).data, row * dimension);
    });
    const width: Matrix = { rows: 1, columns: 1, data: Float64Array.of(settings.sdh.sigma) };
    const kernel = kernelRows(features, mean, anchors, width);
    return { mean, anchors, width, projection: learnProjection(kernel, training) };
  },

  hash({ mean, anchors, width, projection }, features) {
    return signs(times(kernelRows(features, mean!, anchors!, width!), projection!));
  },
};

/**
 * Alternates the updates of B, W and P. None increases the objective.
 * @param kernel φ(X) `[n, anchors + 1]`
 * @param onUpdate called with the objective after each update
 * @returns P `[anchors + 1, bits]`
 */
export function learnProjection(
  kernel: Matrix,
  training: Pick<FeatureTraining, 'labels' | 'classCount' | 'bits' | 'settings' | 'random'>,
  onUpdate?: (objective: number) => void,
): Matrix {
  const { labels, classCount, bits, random } = training;
  const { lambda, nu, delta, iterations } = training.settings.sdh;
  const codes = zeros(labels.length, bits);
  codes.data.forEach((_, i) => {
    codes.data[i] = random.uniform('codes', i) >= 0.5 ? 1 : -1;
  });
  const solveFor = ridge(kernel, delta);
  let classifier = classifierOf(codes, labels, classCount, lambda);
  let projection = solveFor(codes);
  const report = () => {
    if (!onUpdate) return;
    const ridges = lambda * squares(classifier) + nu * delta * squares(projection);
    const distance = squares(difference(codes, times(kernel, projection)));
    onUpdate(
      squares(difference(oneHot(labels, classCount), times(codes, classifier))) + nu * distance + ridges,
    );
  };
  report();
  for (let iteration = 0; iteration < iterations; iteration++) {
    updateCodes(codes, times(kernel, projection), classifier, labels, nu);
    report();
    classifier = classifierOf(codes, labels, classCount, lambda);
    report();
    projection = solveFor(codes);
    report();
  }
  return projection;
}

/** Sweeps over the bits of one code in one update, at most: as in the authors' program. */
const mostSweeps = 10;

/**
 * Discrete cyclic coordinate descent: bit by bit, bₖ = sign(qₖ − Σₗ≠ₖ bₗ (WWᵀ)ₗₖ) with Q = YWᵀ + νF(X), until no bit
 * of the code changes.
 */
function updateCodes(
  codes: Matrix,
  hashed: Matrix,
  classifier: Matrix,
  labels: Int32Array,
  nu: number,
): void {
  const bits = codes.columns;
  const byClass = transposed(classifier);
  const { data: products } = times(classifier, byClass);
  labels.forEach((label, row) => {
    const own = codes.data.subarray(row * bits, (row + 1) * bits);
    for (let sweep = 0, changed = true; changed && sweep < mostSweeps; sweep++) {
      changed = false;
      for (let k = 0; k < bits; k++) {
        let sum = byClass.data[label * bits + k]! + nu * hashed.data[row * bits + k]!;
        for (let l = 0; l < bits; l++) if (l !== k) sum -= own[l]! * products[l * bits + k]!;
        const bit = sum >= 0 ? 1 : -1;
        if (bit === own[k]) continue;
        own[k] = bit;
        changed = true;
      }
    }
  });
}

/** W = (BᵀB + λI)⁻¹ BᵀY `[bits, classes]` */
function classifierOf(codes: Matrix, labels: Int32Array, classCount: number, lambda: number): Matrix {
  const sums = zeros(codes.columns, classCount);
  labels.forEach((label, row) => {
    for (let k = 0; k < codes.columns; k++) {
      sums.data[k * classCount + label]! += codes.data[row * codes.columns + k]!;
    }
  });
  return ridgeSolver(gram(codes), lambda)(sums);
}

/** P = (φᵀφ + δI)⁻¹ φᵀB `[anchors + 1, bits]`, as a function of B: the first factor is always the same. */
function ridge(kernel: Matrix, delta: number): (codes: Matrix) => Matrix {
  const solve = ridgeSolver(gram(kernel), delta);
  return (codes) => solve(transposedTimes(kernel, codes));
}

/** Rows whose distances to the anchors are computed at a time. */
const blockRows = 512;

/** φ of features `[n, dimension]`: `[n, anchors + 1]` */
export function kernelRows(features: Float32Array, mean: Matrix, anchors: Matrix, width: Matrix): Matrix {
  const count = features.length / mean.columns;
  const kernel = zeros(count, anchors.rows + 1);
  const scale = 2 * width.data[0]! ** 2;
  const anchorColumns = transposed(anchors);
  const anchorSquares = rowSquares(anchors);
  for (let first = 0; first < count; first += blockRows) {
    const rows = unitRows(features, mean, first, Math.min(blockRows, count - first));
    const products = times(rows, anchorColumns);
    const squaresOfRows = rowSquares(rows);
    for (let row = 0; row < rows.rows; row++) {
      const at = (first + row) * kernel.columns;
      for (let j = 0; j < anchors.rows; j++) {
        const product = products.data[row * anchors.rows + j]!;
        const square = Math.max(0, squaresOfRows[row]! + anchorSquares[j]! - 2 * product);
        kernel.data[at + j] = Math.exp(-square / scale);
      }
      kernel.data[at + anchors.rows] = 1;
    }
  }
  return kernel;
}

/** Centred features of length 1; one that equals the mean stays 0. */
function unitRows(features: Float32Array, mean: Matrix, first: number, rows: number): Matrix {
  const centred = centredRows(features, mean, first, rows);
  const { columns, data } = centred;
  rowSquares(centred).forEach((square, row) => {
    const length = Math.sqrt(square);
    for (let i = row * columns; length > 0 && i < (row + 1) * columns; i++) data[i]! /= length;
  });
  return centred;
}

function rowSquares({ rows, columns, data }: Matrix): Float64Array {
  const sums = new Float64Array(rows);
  for (let i = 0; i < data.length; i++) sums[Math.floor(i / columns)]! += data[i]! ** 2;
  return sums;
}

function squares({ data }: Matrix): number {
  return data.reduce((sum, value) => sum + value ** 2, 0);
}

function difference(a: Matrix, b: Matrix): Matrix {
  return { ...a, data: a.data.map((value, i) => value - b.data[i]!) };
}

function oneHot(labels: Int32Array, classCount: number): Matrix {
  const matrix = zeros(labels.length, classCount);
  labels.forEach((label, row) => {
    matrix.data[row * classCount + label] = 1;
  });
  return matrix;
}
