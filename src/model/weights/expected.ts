import { quote } from '../../errors.js';
import { type Backbone, backbones, hasWidthFactor } from '../../run/training-run.js';
import type { Naming } from '../architecture.js';
import { ModelError } from '../error.js';
import { isOfParts, pretrainedName } from '../exchnet/parts.js';
import { isOfHead } from '../heads/place.js';
import type { NetworkWeights } from '../initial.js';
import { describeNetwork, type NetworkLayout, trunkOf } from '../layout.js';
import { fromTorchOrder, torchName, torchShape } from '../torch-order.js';
import type { StoredTensor } from './tf-manifest.js';

/** A required tensor of a weight file, and where its values go. */
interface Expected {
  readonly name: string;
  readonly shape: readonly number[];
  place(weights: NetworkWeights, data: Float32Array): void;
}

type Tensors = ReadonlyMap<string, StoredTensor>;

/** A backbone that a file may belong to. */
export interface Candidate {
  readonly backbone: Backbone;
  /** Factor of MobileNet's channel counts; 1 for ResNets. */
  readonly width: number;
  readonly layout: NetworkLayout;
}

/** Settings of the hash layer and the picture size, which do not affect a trunk's file. */
const anySize = { bits: 1, height: 32, width: 32 };

/**
 * Tensors of a backbone's file that are not part of the trunk: the classifier, a counter of PyTorch, and the layers that
 * a method's network has behind the trunk.
 */
export function isIgnored(name: string): boolean {
  const isClassifier = name.startsWith('fc.') || name.startsWith('conv_preds/');
  return isClassifier || name.endsWith('.num_batches_tracked') || isOfHead(name) || isOfParts(name);
}

/**
 * How a file names its tensors and orders their axes. The files of Keras have another order than the rest. MobileNet has
 * PyTorch's names and order in the files that `fcaenet export` and `weights publish` write.
 */
export function namingOf({ trunk }: NetworkLayout, tensors: Tensors): Naming | 'pytorch' {
  return trunk.naming === 'keras' && tensors.has('conv1.weight') ? 'pytorch' : trunk.naming;
}

/**
 * All tensors that a weight file of this network's trunk must have, in the names and the order that the file uses. Where
 * the network has copies of its layers, a tensor goes to several places.
 */
export function expectedTensors(layout: NetworkLayout, tensors: Tensors): Expected[] {
  const torch = namingOf(layout, tensors) !== 'keras';
  const nameOf = torch ? torchName : (name: string) => name;
  const { own, trunkParts } = layout;
  const parameters = layout.parameters.slice(0, own ? -2 : trunkParts.parameters).map((spec) => ({
    name: nameOf(spec.name),
    shape: torch ? torchShape(spec) : spec.shape,
    place: (weights: NetworkWeights, data: Float32Array) =>
      weights.parameters.set(torch ? fromTorchOrder(data, spec) : data, spec.offset),
  }));
  const statistics = layout.batchNorms
    .slice(0, own ? undefined : trunkParts.batchNorms)
    .flatMap(({ meanName, varianceName, channels, offset }) => [
      {
        name: nameOf(meanName),
        shape: [channels],
        place: ({ mean }: NetworkWeights, data: Float32Array) => mean.set(data, offset),
      },
      {
        name: nameOf(varianceName),
        shape: [channels],
        place: ({ variance }: NetworkWeights, data: Float32Array) => variance.set(data, offset),
      },
    ]);
  const all = [...parameters, ...statistics];
  if (!own) return all;
  return all.flatMap((tensor) => {
    const name = pretrainedName(tensor.name);
    return name === null ? [] : [{ ...tensor, name }];
  });
}

/** The backbone that matches a file's tensors best, and how well, from 0 to 1. */
export function bestCandidate(tensors: Tensors): Candidate & { readonly fit: number } {
  const filters = tensors.get('conv1/kernel')?.shape[3] ?? tensors.get('conv1.weight')?.shape[0] ?? 32;
  const width = Math.min(1, Math.max(0.25, filters / 32));
  const candidates = backbones.map((backbone) => {
    const factor = hasWidthFactor(backbone) ? width : 1;
    const layout = describeNetwork(trunkOf(backbone, factor), anySize);
    return { backbone, width: factor, layout, fit: fitOf(layout, tensors) };
  });
  return candidates.reduce((best, candidate) => (candidate.fit > best.fit ? candidate : best));
}

/**
 * Checks that a file's tensors are those of the trunk, by name and shape.
 * @throws ModelError `MODEL_WEIGHTS_BACKBONE` when they match another backbone better or none at all,
 * `MODEL_WEIGHTS_MISSING`, `MODEL_WEIGHTS_SHAPE`, `MODEL_WEIGHTS_EXTRA` naming the first tensor that does not match
 */
export function checkFit(network: NetworkLayout, path: string, tensors: Tensors): void {
  const layout = network.own ? describeNetwork(network.trunk, anySize) : network;
  const { title } = layout.trunk;
  const own = fitOf(layout, tensors);
  const best = bestCandidate(tensors);
  if (own === 0 && best.fit === 0) {
    throw new ModelError(
      'MODEL_WEIGHTS_BACKBONE',
      `weights ${path} contain no tensor of the backbone ${title}, ${instead(tensors)}`,
    );
  }
  if (best.fit > own) {
    throw new ModelError(
      'MODEL_WEIGHTS_BACKBONE',
      `weights ${path} belong to the backbone ${best.layout.trunk.title}, expected ${title}`,
    );
  }
  checkTensors(layout, path, tensors);
}

/** Describes the content of a file in which no tensor matches, by the first name, which often says enough. */
export function instead(tensors: Tensors): string {
  const [name] = tensors.keys();
  return name === undefined ? 'but no tensors at all' : `but ${quote(name)} and ${tensors.size - 1} others`;
}

/** Matching tensors, divided by all tensors of both sides. */
function fitOf(layout: NetworkLayout, tensors: Tensors): number {
  const expected = expectedTensors(layout, tensors);
  const names = new Set(
    [...expected.map(({ name }) => name), ...tensors.keys()].filter((name) => !isIgnored(name)),
  );
  const fitting = expected.filter(({ name, shape }) => sameShape(tensors.get(name)?.shape, shape));
  return fitting.length / names.size;
}

function checkTensors(layout: NetworkLayout, path: string, tensors: Tensors): void {
  const { title } = layout.trunk;
  const expected = expectedTensors(layout, tensors);
  for (const { name, shape } of expected) {
    const tensor = tensors.get(name);
    if (!tensor) {
      throw new ModelError(
        'MODEL_WEIGHTS_MISSING',
        `weights ${path} do not contain the tensor ${name} of ${title}`,
      );
    }
    if (!sameShape(tensor.shape, shape)) {
      throw new ModelError(
        'MODEL_WEIGHTS_SHAPE',
        `tensor ${name} in ${path} has shape [${tensor.shape}], expected [${shape}] for ${title}`,
      );
    }
    const unusable = tensor.data.findIndex((value) => !Number.isFinite(value));
    if (unusable >= 0) {
      throw new ModelError(
        'MODEL_WEIGHTS_VALUE',
        `tensor ${name} in ${path} has the value ${tensor.data[unusable]} at element ${unusable}, expected a finite number`,
      );
    }
  }
  const known = new Set(expected.map(({ name }) => name));
  for (const name of tensors.keys()) {
    if (!known.has(name) && !isIgnored(name)) {
      throw new ModelError(
        'MODEL_WEIGHTS_EXTRA',
        `weights ${path} contain the tensor ${name}, which ${title} does not have`,
      );
    }
  }
}

function sameShape(actual: readonly number[] | undefined, expected: readonly number[]): boolean {
  return actual?.length === expected.length && actual.every((extent, axis) => extent === expected[axis]);
}
