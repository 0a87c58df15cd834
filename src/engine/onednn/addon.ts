import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** Values of `activation` in the native batch normalisation. */
export const nativeActivation = { none: 0, relu: 1, relu6: 2 } as const;

type Values = Float32Array;

/**
 * The native functions of `native/addon.cc`. Arrays are float32, activations NHWC, filters HWIO. `geometry` has the 13
 * integers of `native/kernels.h`. Each function writes its results into the given arrays.
 */
export interface Addon {
  /** Sets the number of threads. Call it before any kernel. */
  start(threads: number): { instructionSet: string; loops: string; version: string };
  memory(): { workspaceBytes: number; primitives: number };
  /** An array of zeros whose first value is aligned to a cache line. */
  alignedFloats(length: number): Values;
  convolution(x: Values, filter: Values, y: Values, geometry: Int32Array): void;
  convolutionInput(dy: Values, filter: Values, dx: Values, geometry: Int32Array): void;
  convolutionFilter(x: Values, dy: Values, dFilter: Values, geometry: Int32Array): void;
  depthwise(x: Values, filter: Values, y: Values, geometry: Int32Array): void;
  depthwiseInput(dy: Values, filter: Values, dx: Values, geometry: Int32Array): void;
  depthwiseFilter(x: Values, dy: Values, dFilter: Values, geometry: Int32Array): void;
  maxPool(x: Values, y: Values, geometry: Int32Array): void;
  maxPoolInput(x: Values, y: Values, dy: Values, dx: Values, geometry: Int32Array): void;
  /** c[i] = op(a[i])·op(b[i]) for each of `matrices`; with `shared` 1 or 2, all use the same matrix a or b. */
  matMul(
    a: Values,
    b: Values,
    c: Values,
    m: number,
    n: number,
    k: number,
    transposeA: number,
    transposeB: number,
    matrices: number,
    shared: number,
  ): void;
  batchNormForward(
    x: Values,
    scale: Values,
    offset: Values,
    y: Values,
    mean: Values,
    variance: Values,
    epsilon: number,
    activation: number,
    shortcut?: Values,
  ): void;
  batchNormBackward(
    x: Values,
    dy: Values,
    scale: Values,
    offset: Values,
    mean: Values,
    variance: Values,
    dx: Values,
    dScale: Values,
    dOffset: Values,
    epsilon: number,
    activation: number,
  ): void;
  batchNormInference(
    x: Values,
    scale: Values,
    offset: Values,
    mean: Values,
    variance: Values,
    y: Values,
    epsilon: number,
  ): void;
  relu(x: Values, y: Values, limit: number): void;
  reluInput(y: Values, dy: Values, dx: Values, limit: number): void;
  add(a: Values, b: Values, c: Values): void;
  subtract(a: Values, b: Values, c: Values): void;
  multiply(a: Values, b: Values, c: Values): void;
  /** y[row, channel] = x[row, channel] + bias[channel] */
  addRows(x: Values, bias: Values, y: Values): void;
  /** y[outer, inner] = factor · Σ over the middle of x[outer, middle, inner]. */
  sumMiddle(x: Values, y: Values, outer: number, middle: number, inner: number, factor: number): void;
}

/** Path of the compiled addon; the same from `src/` and from `dist/`. */
export const builtAddonPath = fileURLToPath(new URL('../../../native/build/fcaenet.node', import.meta.url));

/**
 * Loads the addon at `path`. Its stamp `build.json` is in the same folder.
 * @throws Error of Node's loader when the file is missing or cannot be loaded
 */
export function loadAddon(path: string): { addon: Addon; buildHash: string } {
  // Waiting OpenMP threads must not spin: they would take the processor from the other workers of the host.
  process.env.OMP_WAIT_POLICY ??= 'PASSIVE';
  const stamp = new URL('build.json', `file://${path}`);
  const addon = createRequire(import.meta.url)(path) as Addon;
  const { hash } = JSON.parse(readFileSync(stamp, 'utf8')) as { hash: string };
  return { addon, buildHash: hash };
}
