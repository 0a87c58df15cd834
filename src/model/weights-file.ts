import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { decodeSafetensors } from '../checkpoint/safetensors.js';
import { ExitCode } from '../errors.js';
import { ModelError } from './error.js';
import type { NetworkWeights } from './initial.js';
import { describeNetwork, type NetworkLayout, trunkOf } from './layout.js';
import { readTfManifest, readWeights, type StoredTensor, type StoredTensors } from './tf-manifest.js';
import { fromTorchOrder, torchShape } from './torch-order.js';

export interface BackboneWeights extends NetworkWeights {
  /** SHA-256 of the file's bytes, in hexadecimal. */
  readonly sha256: string;
}

/** One tensor that a weight file must hold, and where it goes. */
interface Expected {
  readonly name: string;
  readonly shape: readonly number[];
  place(weights: NetworkWeights, data: Float32Array): void;
}

/**
 * Reads pretrained weights of the backbone: a TF.js weights manifest (a folder with `model.json`, or that file) in
 * Keras's names, or a `.safetensors` file in torchvision's. The classifier of the file is left out.
 *
 * @param initial weights before training; the hash layer's are kept
 * @throws ModelError `MODEL_WEIGHTS_BACKBONE` for weights of another backbone, `MODEL_WEIGHTS_MISSING`,
 *   `MODEL_WEIGHTS_EXTRA`, `MODEL_WEIGHTS_SHAPE` for a tensor that does not fit, `MODEL_WEIGHTS_FORMAT` for another kind
 *   of file, and what the readers throw
 */
export async function loadBackboneWeights(
  layout: NetworkLayout,
  path: string,
  initial: NetworkWeights,
): Promise<BackboneWeights> {
  const { tensors, sha256 } = await readStored(path);
  const expected = expectedTensors(layout);
  checkBackbone(layout, path, tensors);
  checkTensors(layout, path, tensors, expected);
  const weights = {
    parameters: initial.parameters.slice(),
    mean: initial.mean.slice(),
    variance: initial.variance.slice(),
  };
  for (const { name, place } of expected) place(weights, tensors.get(name)!.data);
  return { ...weights, sha256 };
}

async function readStored(path: string): Promise<StoredTensors> {
  if (await isDirectory(path)) return readTfManifest(join(path, 'model.json'));
  switch (extname(path)) {
    case '.json':
      return readTfManifest(path);
    case '.safetensors':
      return readTorchvision(path);
    default:
      throw new ModelError(
        'MODEL_WEIGHTS_FORMAT',
        `Weights ${path} are of an unknown kind, expected a folder with model.json or a .safetensors file.`,
      );
  }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (cause) {
    throw new ModelError(
      'MODEL_WEIGHTS_UNREADABLE',
      `Weights ${path} cannot be read (${(cause as NodeJS.ErrnoException).code}).`,
      { cause, exitCode: ExitCode.missingInput },
    );
  }
}

async function readTorchvision(path: string): Promise<StoredTensors> {
  const bytes = await readWeights(path);
  const tensors = new Map<string, StoredTensor>();
  for (const [name, { shape, data }] of Object.entries(decodeSafetensors(bytes, path).tensors)) {
    if (isIgnored(name)) continue;
    if (!(data instanceof Float32Array)) {
      throw new ModelError('MODEL_WEIGHTS_DTYPE', `Tensor ${name} in ${path} is not of type F32.`);
    }
    tensors.set(name, { shape, data });
  }
  return { tensors, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** What a file of the backbone holds besides the trunk: the classifier, and a counter that PyTorch keeps. */
function isIgnored(name: string): boolean {
  return name.startsWith('fc.') || name.startsWith('conv_preds/') || name.endsWith('.num_batches_tracked');
}

function expectedTensors(layout: NetworkLayout): Expected[] {
  const torch = layout.trunk.naming === 'torchvision';
  const parameters = layout.parameters
    .filter((spec) => spec.role !== 'hashWeight' && spec.role !== 'hashBias')
    .map((spec) => ({
      name: spec.name,
      shape: torch ? torchShape(spec) : spec.shape,
      place: (weights: NetworkWeights, data: Float32Array) =>
        weights.parameters.set(torch ? fromTorchOrder(data, spec) : data, spec.offset),
    }));
  const statistics = layout.batchNorms.flatMap(({ meanName, varianceName, channels, offset }) => [
    {
      name: meanName,
      shape: [channels],
      place: ({ mean }: NetworkWeights, data: Float32Array) => mean.set(data, offset),
    },
    {
      name: varianceName,
      shape: [channels],
      place: ({ variance }: NetworkWeights, data: Float32Array) => variance.set(data, offset),
    },
  ]);
  return [...parameters, ...statistics];
}

/** Throws where the tensors fit another backbone better than the expected one, or fit none at all. */
function checkBackbone(
  layout: NetworkLayout,
  path: string,
  tensors: ReadonlyMap<string, StoredTensor>,
): void {
  const expected = layout.trunk.title;
  const best = { title: expected, fit: fitOf(layout, tensors) };
  const filters = tensors.get('conv1/kernel')?.shape[3] ?? 32;
  for (const trunk of [
    trunkOf('resnet18', 1),
    trunkOf('resnet50', 1),
    trunkOf('mobilenet_v1', filters / 32),
  ]) {
    const fit = fitOf(describeNetwork(trunk, layout), tensors);
    if (fit > best.fit) Object.assign(best, { title: trunk.title, fit });
  }
  if (best.fit === 0) {
    throw new ModelError(
      'MODEL_WEIGHTS_BACKBONE',
      `Weights ${path} hold no tensor of the backbone ${expected}.`,
    );
  }
  if (best.title !== expected) {
    throw new ModelError(
      'MODEL_WEIGHTS_BACKBONE',
      `Weights ${path} are of the backbone ${best.title}, expected ${expected}.`,
    );
  }
}

/** Tensors that fit, over all that either side names. */
function fitOf(layout: NetworkLayout, tensors: ReadonlyMap<string, StoredTensor>): number {
  const expected = expectedTensors(layout);
  const names = new Set(
    [...expected.map(({ name }) => name), ...tensors.keys()].filter((name) => !isIgnored(name)),
  );
  const fitting = expected.filter(({ name, shape }) => sameShape(tensors.get(name)?.shape, shape));
  return fitting.length / names.size;
}

function checkTensors(
  layout: NetworkLayout,
  path: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  expected: readonly Expected[],
): void {
  const { title } = layout.trunk;
  for (const { name, shape } of expected) {
    const tensor = tensors.get(name);
    if (!tensor) {
      throw new ModelError('MODEL_WEIGHTS_MISSING', `Weights ${path} lack the tensor ${name} of ${title}.`);
    }
    if (!sameShape(tensor.shape, shape)) {
      throw new ModelError(
        'MODEL_WEIGHTS_SHAPE',
        `Tensor ${name} in ${path} has shape [${tensor.shape}], expected [${shape}] for ${title}.`,
      );
    }
  }
  const known = new Set(expected.map(({ name }) => name));
  for (const name of tensors.keys()) {
    if (!known.has(name) && !isIgnored(name)) {
      throw new ModelError(
        'MODEL_WEIGHTS_EXTRA',
        `Weights ${path} hold the tensor ${name}, which ${title} lacks.`,
      );
    }
  }
}

function sameShape(actual: readonly number[] | undefined, expected: readonly number[]): boolean {
  return actual?.length === expected.length && actual.every((extent, axis) => extent === expected[axis]);
}
