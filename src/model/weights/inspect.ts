import { encodeSafetensors } from '../../checkpoint/safetensors.js';
import type { Backbone } from '../../run/training-run.js';
import { ModelError } from '../error.js';
import type { NetworkLayout } from '../layout.js';
import { describePreprocessing } from '../preprocess.js';
import { bestCandidate, checkFit, expectedTensors, instead } from './expected.js';
import { readWeightsOfAnyKind, type WeightsFormat } from './read.js';
import type { StoredTensor } from './tf-manifest.js';

/** What a weight file is of, and what comes with its format. */
export interface WeightsReport {
  readonly format: WeightsFormat;
  readonly backbone: Backbone;
  /** Factor of MobileNet's channel counts; 1 for ResNets. */
  readonly width: number;
  readonly tensors: number;
  /** Values of all tensors together. */
  readonly values: number;
  /** Axes of a filter as the file stores it. */
  readonly filterOrder: string;
  /** Names of a BatchNorm's scale, offset, mean and variance. */
  readonly batchNorm: string;
  readonly epsilon: number;
  readonly preprocessing: string;
  /** What was done to the file's tensors, a sentence each; none as a rule. */
  readonly changes: readonly string[];
  /** Of the file's bytes, in hexadecimal. */
  readonly sha256: string;
}

interface Inspected {
  readonly report: WeightsReport;
  readonly layout: NetworkLayout;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/**
 * Finds out which backbone a weight file is of, and checks every tensor of it.
 *
 * @throws ModelError `MODEL_WEIGHTS_BACKBONE` where no backbone fits, and what reading and `checkFit` throw
 */
export async function inspectWeights(path: string): Promise<WeightsReport> {
  return (await inspect(path)).report;
}

/**
 * The same weights as the pieces of a safetensors file, in the names and order of their backbone, without classifier.
 *
 * @param origin what the file says of where they come from; by default the digest of what was read
 * @throws ModelError as `inspectWeights`
 */
export async function convertWeights(
  path: string,
  origin?: Readonly<Record<string, string>>,
): Promise<{ report: WeightsReport; pieces: Uint8Array[] }> {
  const { report, layout, tensors } = await inspect(path);
  const kept = expectedTensors(layout).map(({ name }) => [name, tensors.get(name)!] as const);
  const { backbone, width, sha256 } = report;
  const metadata = {
    backbone,
    width: String(width),
    naming: layout.trunk.naming,
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
      `Weights ${path} hold no tensor of a known backbone, ${instead(tensors)}, expected resnet18 or resnet50 in torchvision's names or mobilenet_v1 in Keras's.`,
    );
  }
  checkFit(layout, path, tensors);
  const torch = layout.trunk.naming === 'torchvision';
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
