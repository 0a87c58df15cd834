import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Folder of the golden vectors: `FCAENET_GOLDEN`, or the copy beside this file. */
export function goldenDirectory(): string {
  return process.env.FCAENET_GOLDEN ?? fileURLToPath(new URL('.', import.meta.url));
}

/** Parses `<name>.json` of the golden folder; the caller names the format it expects. */
export function readGolden<T>(name: string): T {
  return JSON.parse(readFileSync(join(goldenDirectory(), `${name}.json`), 'utf8')) as T;
}

/** FNV-1a over the UTF-8 bytes of `name`, as uint32. */
export function hash(name: string): number {
  let h = 0x811c9dc5;
  for (const byte of Buffer.from(name, 'utf8')) h = Math.imul(h ^ byte, 0x01000193);
  return h >>> 0;
}

function mix(word: number): number {
  let x = word;
  x ^= x >>> 16;
  x = Math.imul(x, 0x85ebca6b);
  x ^= x >>> 13;
  x = Math.imul(x, 0xc2b2ae35);
  x ^= x >>> 16;
  return x >>> 0;
}

function wordOf(nameHash: number, i: number): number {
  return mix((nameHash + Math.imul(i + 1, 0x9e3779b9)) >>> 0);
}

function unitOf(nameHash: number, i: number): number {
  return (wordOf(nameHash, i) >>> 8) / 2 ** 23 - 1;
}

/** The i-th uint32 of the stream `name`. */
export function word(name: string, i: number): number {
  return wordOf(hash(name), i);
}

/** The i-th number of the stream in [-1, 1), exact in float32. */
export function unit(name: string, i: number): number {
  return unitOf(hash(name), i);
}

/** Number of elements of a shape. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** Row-major uniform values in [-scale, scale). */
export function values(name: string, shape: readonly number[], scale: number): Float32Array {
  const nameHash = hash(name);
  const factor = Math.fround(scale);
  // A loop, as networks have tens of millions of values and `Float32Array.from` takes ten times as long.
  const result = new Float32Array(elementCount(shape));
  for (let i = 0; i < result.length; i++) result[i] = unitOf(nameHash, i) * factor;
  return result;
}

/** Row-major ±1. */
export function signs(name: string, shape: readonly number[]): Int8Array {
  const nameHash = hash(name);
  return Int8Array.from({ length: elementCount(shape) }, (_, i) => (wordOf(nameHash, i) >>> 31 ? 1 : -1));
}

/** `n` integers in [0, K). */
export function ints(name: string, n: number, K: number): Int32Array {
  const nameHash = hash(name);
  return Int32Array.from({ length: n }, (_, i) => (wordOf(nameHash, i) >>> 8) % K);
}

/** The `m` indices of 0..n-1 with the smallest words, ascending by word, ties by index. */
export function pick(name: string, n: number, m: number): Int32Array {
  const nameHash = hash(name);
  const words = Array.from({ length: n }, (_, i) => wordOf(nameHash, i));
  const order = Array.from({ length: n }, (_, i) => i).sort((a, b) => words[a]! - words[b]! || a - b);
  return Int32Array.from(order.slice(0, m));
}

/** Picture `[B, C, H, W]`: an 8 × 8 grid of flat cells plus half as much noise per pixel. */
export function image(name: string, shape: readonly [number, number, number, number]): Float32Array {
  const [B, C, H, W] = shape;
  const cellHash = hash(`${name}.cell`);
  const pixelHash = hash(`${name}.pix`);
  const result = new Float32Array(B * C * H * W);
  let index = 0;
  for (let plane = 0; plane < B * C; plane++) {
    for (let y = 0; y < H; y++) {
      const cellRow = (plane * 8 + Math.floor((8 * y) / H)) * 8;
      for (let x = 0; x < W; x++, index++) {
        const cell = unitOf(cellHash, cellRow + Math.floor((8 * x) / W));
        result[index] = cell + 0.5 * unitOf(pixelHash, index);
      }
    }
  }
  return result;
}

/** Rows written as strings of `0` and `1` to ±1, row-major. */
export function codesFromStrings(rows: readonly string[]): Int8Array {
  return Int8Array.from(rows.join(''), (character) => (character === '1' ? 1 : -1));
}

/** Largest deviation of `actual` from `expected`, relative to the largest expected magnitude. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let deviation = 0;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!);
    if (!(difference <= Number.MAX_VALUE)) return Number.POSITIVE_INFINITY;
    deviation = Math.max(deviation, difference);
    largest = Math.max(largest, Math.abs(expected[i]!));
  }
  return deviation === 0 ? 0 : deviation / largest;
}

/** Labels, sample and database codes of one golden problem, generated from its seed. */
export interface GoldenProblem {
  readonly labels: Int32Array;
  readonly omega: Int32Array;
  /** `[n, c]` */
  readonly codes: Int8Array;
}

/** The setting that the similarity, V-step and network vectors share. */
export function goldenProblem(case_: {
  prefix: string;
  n: number;
  m: number;
  c: number;
  K: number;
}): GoldenProblem {
  const { prefix, n, m, c, K } = case_;
  return {
    labels: ints(`${prefix}/labels`, n, K),
    omega: pick(`${prefix}/omega`, n, m),
    codes: signs(`${prefix}/V`, [n, c]),
  };
}

/** Row labels gathered at `indices`. */
export function gather(labels: Int32Array, indices: Int32Array): Int32Array {
  return Int32Array.from(indices, (index) => labels[index]!);
}

/** Rows of a `[rows, width]` matrix of codes gathered at `indices`. */
export function gatherCodes(codes: Int8Array, width: number, indices: Int32Array): Int8Array {
  const result = new Int8Array(indices.length * width);
  indices.forEach((index, row) => {
    result.set(codes.subarray(index * width, (index + 1) * width), row * width);
  });
  return result;
}

/** Sizes of the classes 0..K-1. */
export function classSizes(labels: Int32Array, K: number): Int32Array {
  const sizes = new Int32Array(K);
  for (const label of labels) sizes[label]!++;
  return sizes;
}
