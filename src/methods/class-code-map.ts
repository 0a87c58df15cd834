import { checkLength } from './error.js';
import { centredRows, featureMean } from './hyperplanes.js';
import { addUpperGram, type Matrix, mirror, zeros } from './matrix.js';
import { ridgeSolver } from './ridge.js';

/** z = W f + b */
export interface LinearMap {
  /** W, a column for each bit `[dimension, bits]` */
  readonly weight: Float32Array<ArrayBuffer>;
  /** b `[bits]` */
  readonly bias: Float32Array<ArrayBuffer>;
}

/** Rows that are centred at a time. */
const blockRows = 512;
/** Weight of |W|², relative to the mean variance of a feature over all images. */
const ridge = 0.1;

/**
 * The linear map of features that is nearest to the codes of their classes: min Σᵢ |W fᵢ + b − v_{yᵢ}|² + δ|W|², with
 * δ = 0.1 times the mean of the eigenvalues of XᵀX of the centred features X.
 * @param features `[n, dimension]`
 * @param labels classes of the images `[n]`
 * @param classCodes ±1 `[classes, bits]`
 */
export function classCodeMap(
  features: Float32Array,
  dimension: number,
  labels: Int32Array,
  classCodes: Int8Array,
  bits: number,
): LinearMap {
  checkLength('a matrix of features', features.length, labels.length * dimension);
  const mean = featureMean(features, dimension);
  const gram = zeros(dimension, dimension);
  const products = zeros(dimension, bits);
  const ofCodes = new Float64Array(bits);
  for (let first = 0; first < labels.length; first += blockRows) {
    const centred = centredRows(features, mean, first, Math.min(blockRows, labels.length - first));
    addUpperGram(gram, centred);
    for (let row = 0; row < centred.rows; row++) {
      const code = classCodes.subarray(labels[first + row]! * bits, (labels[first + row]! + 1) * bits);
      addOuter(products, centred, row, code);
      for (let k = 0; k < bits; k++) ofCodes[k]! += code[k]! / labels.length;
    }
  }
  mirror(gram);
  let trace = 0;
  for (let i = 0; i < dimension; i++) trace += gram.data[i * dimension + i]!;
  const { data } = ridgeSolver(gram, (ridge * trace) / dimension)(products);
  const bias = ofCodes.map((meanCode, k) => {
    let value = meanCode;
    for (let i = 0; i < dimension; i++) value -= mean.data[i]! * data[i * bits + k]!;
    return value;
  });
  return { weight: Float32Array.from(data), bias: Float32Array.from(bias) };
}

/** sum + x·codeᵀ in place, for a row x of a matrix. */
function addOuter(sum: Matrix, { columns, data }: Matrix, row: number, code: Int8Array): void {
  for (let i = 0; i < columns; i++) {
    const value = data[row * columns + i]!;
    const at = i * code.length;
    for (let k = 0; k < code.length; k++) sum.data[at + k]! += value * code[k]!;
  }
}
