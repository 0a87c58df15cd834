import type { DatasetKind } from '../run/training-run.js';

/** What a method learns from, besides the images. */
export type Supervision = 'none' | 'pairs' | 'classes' | 'pairs and classes' | 'triplets';

/** A column of the paper's Table 1. */
export interface PaperMethod {
  readonly title: string;
  readonly supervision: Supervision;
  /** Where the paper has its figures from. */
  readonly source: 'ExchNet' | 'FPH' | 'DaSH' | 'own runs';
}

/** The code lengths of the paper's tables. */
export const paperBits = [12, 24, 32, 48] as const;

/**
 * The columns of Table 1 of FCAENet (arXiv 2110.04479), by the name of the method in `spec.method`.
 * The paper copies those of ExchNet from Cui et al., ECCV 2020.
 */
export const paperMethods = {
  lsh: { title: 'LSH', supervision: 'none', source: 'ExchNet' },
  sh: { title: 'SH', supervision: 'none', source: 'ExchNet' },
  itq: { title: 'ITQ', supervision: 'none', source: 'ExchNet' },
  sdh: { title: 'SDH', supervision: 'classes', source: 'ExchNet' },
  dpsh: { title: 'DPSH', supervision: 'pairs', source: 'ExchNet' },
  dsh: { title: 'DSH', supervision: 'pairs', source: 'ExchNet' },
  hashnet: { title: 'HashNet', supervision: 'pairs', source: 'ExchNet' },
  fph: { title: 'FPH', supervision: 'triplets', source: 'FPH' },
  dash: { title: 'DaSH', supervision: 'pairs', source: 'DaSH' },
  adsh: { title: 'ADSH', supervision: 'pairs', source: 'ExchNet' },
  exchnet: { title: 'ExchNet', supervision: 'pairs and classes', source: 'ExchNet' },
  baseline: { title: 'Baseline', supervision: 'pairs', source: 'own runs' },
  fcaenet: { title: 'FCAENet', supervision: 'pairs', source: 'own runs' },
} as const satisfies Record<string, PaperMethod>;

/** mAP in per cent of each column at one code length; null where the paper has a dash. */
type Row = readonly (number | null)[];

/** Table 1: a row for each of 12, 24, 32 and 48 bits, with the columns in the order of `paperMethods`. */
const table1: Readonly<Record<DatasetKind, readonly [Row, Row, Row, Row]>> = {
  cub: [
    [2.26, 5.55, 6.8, 10.52, 8.68, 4.48, 12.03, null, 14.2, 20.03, 25.14, 31.19, 34.76],
    [3.59, 6.72, 9.42, 16.95, 12.51, 7.97, 17.77, null, 20.9, 50.33, 58.98, 63.26, 67.67],
    [5.01, 7.63, 11.19, 20.43, 12.74, 7.72, 19.93, 58.32, null, 61.68, 67.74, 74.13, 73.85],
    [6.16, 8.32, 12.45, 22.23, 15.58, 11.81, 22.13, 61.24, 28.5, 65.43, 71.05, 80.77, 80.14],
  ],
  aircraft: [
    [1.69, 3.28, 4.38, 4.89, 8.74, 8.14, 14.91, null, null, 15.54, 33.27, 39.48, 43.92],
    [2.19, 3.85, 5.28, 6.36, 10.87, 10.66, 17.75, null, null, 23.09, 45.83, 76.78, 75.46],
    [2.38, 4.04, 5.82, 6.9, 13.54, 12.21, 19.42, null, null, 30.37, 51.83, 81.13, 81.61],
    [2.82, 4.28, 6.05, 7.65, 13.94, 14.45, 20.32, null, null, 50.65, 59.05, 82.21, 81.34],
  ],
  nabirds: [
    [0.9, 2.12, 2.53, 3.1, 2.17, 1.56, 2.34, null, null, 2.53, 5.22, 11.88, 12.56],
    [1.68, 3.14, 4.22, 6.72, 4.08, 2.33, 3.29, null, null, 8.23, 15.69, 20.45, 23.9],
    [2.43, 3.71, 5.38, 8.86, 3.61, 2.44, 4.52, null, null, 14.71, 21.94, 28.86, 31.58],
    [3.09, 4.05, 6.1, 10.38, 3.2, 3.42, 4.97, null, null, 25.34, 34.81, 47.13, 49.74],
  ],
  vegfru: [
    [1.28, 2.36, 3.05, 5.92, 6.33, 4.6, 3.7, null, null, 8.24, 23.55, 17.58, 21.76],
    [2.21, 4.04, 5.51, 11.55, 9.05, 8.91, 6.24, null, null, 24.9, 35.93, 45.4, 50.36],
    [3.39, 5.65, 7.48, 14.55, 10.28, 11.23, 7.83, null, null, 36.53, 48.27, 65.62, 67.46],
    [4.51, 6.56, 8.74, 16.45, 9.11, 17.12, 10.29, null, null, 55.15, 69.3, 79.39, 79.76],
  ],
  food101: [
    [1.57, 4.51, 6.46, 10.21, 11.82, 6.51, 24.42, null, null, 35.64, 45.63, 39.31, 44.97],
    [2.48, 5.79, 8.2, 11.44, 13.05, 8.97, 34.48, null, null, 40.93, 55.48, 73.88, 76.56],
    [2.64, 5.91, 9.7, 13.36, 16.41, 13.1, 35.9, null, null, 42.89, 56.39, 79.88, 81.37],
    [3.07, 6.63, 10.07, 15.55, 20.06, 17.18, 39.65, null, null, 48.81, 64.19, 81.98, 83.14],
  ],
};

/** The dataset of Tables 2 to 4. */
const ablated: DatasetKind = 'food101';
/** Table 2, at 12, 24, 32 and 48 bits. */
const table2: Readonly<Record<string, readonly number[]>> = {
  baseline: [39.31, 73.88, 79.88, 81.98],
  srem: [43.58, 75.67, 80.25, 81.99],
  esrl: [43.67, 75.24, 81.11, 82.41],
  fcaenet: [44.97, 76.56, 81.37, 83.14],
};
/**
 * Tables 3 and 4 name neither dataset nor code length. Their figure at the default, 76.56, is that of FCAENet at 24 bits
 * on Food-101.
 */
const ablatedBits = 24;
const table3: Readonly<Record<number, number>> = { 10: 75.23, 50: 76.56, 100: 76.41, 150: 74.84 };
const table4: Readonly<Record<number, number>> = { 16: 75.66, 32: 76.56, 64: 76.3, 128: 74.6 };

/** Finds the paper's figure, a fraction, of a row at a code length on a dataset; null where there is none. */
export type PaperFigure = (variant: string, bits: number, dataset: DatasetKind) => number | null;

/** Table 1. The variant is a method. */
export const figureOfTable1: PaperFigure = (method, bits, dataset) => {
  const column = Object.keys(paperMethods).indexOf(method);
  return fraction(table1[dataset][lengthIndex(bits)]?.[column]);
};

/** Table 2. The variant is a method. */
export const figureOfTable2: PaperFigure = (method, bits, dataset) =>
  dataset === ablated ? fraction(table2[method]?.[lengthIndex(bits)]) : null;

/** Table 3. The variant ends in the number of regions. */
export const figureOfTable3: PaperFigure = ofSetting(table3);

/** Table 4. The variant ends in the side of a region in pixels. */
export const figureOfTable4: PaperFigure = ofSetting(table4);

function ofSetting(table: Readonly<Record<number, number>>): PaperFigure {
  return (variant, bits, dataset) =>
    dataset === ablated && bits === ablatedBits ? fraction(table[Number(/\d+$/.exec(variant)?.[0])]) : null;
}

function lengthIndex(bits: number): number {
  return (paperBits as readonly number[]).indexOf(bits);
}

function fraction(percent: number | null | undefined): number | null {
  return percent === undefined || percent === null ? null : Number((percent / 100).toFixed(4));
}
