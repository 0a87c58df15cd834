import { encodeSafetensors } from '../../checkpoint/safetensors.js';
import type { Backbone } from '../../run/training-run.js';
import { describeBackbones } from '../backbones.js';
import { ModelError } from '../error.js';
import type { NetworkLayout } from '../layout.js';
import { describePreprocessing } from '../preprocess.js';
import { bestCandidate, checkFit, expectedTensors, instead, namingOf } from './expected.js';
import { readWeightsOfAnyKind, type WeightsFormat } from './read.js';
import type { StoredTensor } from './tf-manifest.js';

/** The backbone of a weight file, and properties of its format. */
export interface WeightsReport {
  readonly format: WeightsFormat;
  readonly backbone: Backbone;
  /** Factor of MobileNet's channel counts; 1 for ResNets. */
  readonly width: number;
  readonly tensors: number;
  /** Number of values of all tensors together. */
  readonly values: number;
  /** Axes of a filter as the file stores it. */
  readonly filterOrder: string;
  /** Names of a BatchNorm's scale, offset, mean and variance. */
  readonly batchNorm: string;
  readonly epsilon: number;
  readonly preprocessing: string;
  /** How the file's tensors were changed, one sentence each; usually empty. */
  readonly changes: readonly string[];
  /** SHA-256 of the file's bytes, in hexadecimal. */
  readonly sha256: string;
}

interface Inspected {
  readonly report: WeightsReport;
  readonly layout: NetworkLayout;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/**
 * Finds out which backbone a weight file belongs to, and checks all of its tensors.
 * @throws ModelError `MODEL_WEIGHTS_BACKBONE` when no backbone matches, and the errors of reading and of `checkFit`
 */
export async function inspectWeights(path: string): Promise<WeightsReport> {
  return (await inspect(path)).report;
}

/**
 * The same weights as the pieces of a safetensors file, in the names and order of their backbone, without classifier.
 * @param origin the source that the file names; by default the digest of the input
 * @throws ModelError as `inspectWeights`
 */
export async function convertWeights(
  path: string,
  origin?: Readonly<Record<string, string>>,
): Promise<{ report: WeightsReport; pieces: Uint8Array[] }> {
  const { report, layout, tensors } = await inspect(path);
  const kept = expectedTensors(layout, tensors).map(({ name }) => [name, tensors.get(name)!] as const);
  const { backbone, width, sha256 } = report;
  const metadata = {
    backbone,
    width: String(width),
    naming: namingOf(layout, tensors),
    ...(origin ?? { sourceSha256: sha256 }),
  };
  return { report, pieces: encodeSafetensors(Object.fromEntries(kept), metadata) };
}

async function inspect(path: string): Promise<Inspected> {
  const { tensors, sha256, format, changes } = await readWeightsOfAnyKind(path);
  const { backbone, width, layout, fit } = bestCandidate(tensors);
  if (fit === 0) {
    throw new ModelError(
      'MODEL_WEIGHTS_BACKBONE',
      `weights ${path} contain no tensor of a known backbone, ${instead(tensors)}, expected ${describeBackbones()}`,
    );
  }
  checkFit(layout, path, tensors);
  const torch = namingOf(layout, tensors) !== 'keras';
  const kept = [...tensors.values()];
  return {
    layout,
    tensors,
    report: {
      format,
      backbone,
      width,
      tensors: kept.length,
      values: kept.reduce((sum, { data }) => sum + data.length, 0),
      filterOrder: torch ? 'out, in, height, width' : 'height, width, in, out',
      batchNorm: torch
        ? 'weight, bias, running_mean, running_var'
        : 'gamma, beta, moving_mean, moving_variance',
      epsilon: layout.epsilon,
      preprocessing: describePreprocessing(layout.trunk.preprocessing),
      changes,
      sha256,
    },
  };
}
