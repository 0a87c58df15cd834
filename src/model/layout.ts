import type { NetworkHead } from '../methods/method.js';
import { networkHead, ownTerms } from '../methods/methods.js';
import type { Backbone, TrainingRunSpec } from '../run/training-run.js';
import type { Trunk } from './architecture.js';
import { backboneDefinitions } from './backbones.js';
import { ModelError } from './error.js';
import { type PartSettings, type PlacedParts, partLayers, placeParts } from './exchnet/parts.js';
import { type PlacedHead, placeHead } from './heads/place.js';
import { type BatchNormSpec, type ParameterSpec, type PlacedLayer, PlacementTable } from './placement.js';

export type {
  BatchNormSpec,
  ParameterRole,
  ParameterSpec,
  PlacedFilterLayer,
  PlacedLayer,
  PlacedResidualLayer,
} from './placement.js';

export interface ModelSettings {
  readonly backbone: Backbone;
  /** Factor α of MobileNet's channel counts, 0.25 to 1; ResNets ignore it. */
  readonly width: number;
  /** Code length c, 1 to 64. */
  readonly bits: number;
  /** Side of the square input in pixels, at least 32. */
  readonly imageSize: number;
}

/** A trunk, the head that makes its maps features f, and the hash layer u = tanh(W f + b), with the place of every tensor. */
export interface NetworkLayout {
  readonly trunk: Trunk;
  readonly bits: number;
  /** Values of z of an image in training: `bits` of each code that the network makes of it. */
  readonly outputs: number;
  /** Input size in pixels. */
  readonly height: number;
  readonly width: number;
  readonly layers: readonly PlacedLayer[];
  readonly head: PlacedHead;
  /** The local branch of ExchNet, whose hash layer takes its features; null for other heads. */
  readonly own: PlacedParts | null;
  /** In the order of the flat parameter vector: the trunk's, the head's, and last the hash layer's weight and bias. */
  readonly parameters: readonly ParameterSpec[];
  readonly parameterCount: number;
  /** The trunk's, then the head's. */
  readonly batchNorms: readonly BatchNormSpec[];
  /** How many of the parameters and of the BatchNorms are the trunk's. */
  readonly trunkParts: { readonly parameters: number; readonly batchNorms: number };
  /** Number of channels of all BatchNorms together. */
  readonly statisticsCount: number;
  /** Channels of the last feature map. */
  readonly featureWidth: number;
  readonly epsilon: number;
}

export interface ModelLayout extends NetworkLayout {
  readonly settings: ModelSettings;
}

/** Describes the network of a run: that of `describeModel`, with the head of its method. */
export function describeRunModel({
  model,
  bits,
  method,
  exchnet,
}: Pick<TrainingRunSpec, 'model' | 'bits' | 'method' | 'exchnet'>): ModelLayout {
  const head = networkHead(method);
  const parts = { parts: exchnet.parts, terms: ownTerms(method) };
  return describeModel({ ...model, bits }, head === 'parts' ? parts : head);
}

/**
 * Describes FCAENet's tensors for these settings. Pure: needs no engine.
 * @throws ModelError `MODEL_SETTINGS` for a setting outside its range
 */
export function describeModel(
  settings: ModelSettings,
  head: NetworkHead | PartSettings = 'pooled',
): ModelLayout {
  const { backbone, width, bits, imageSize } = settings;
  checkRange('width', width, 0.25, 1);
  checkRange('bits', bits, 1, 64, Number.isInteger(bits));
  checkRange('imageSize', imageSize, 32, 4096, Number.isInteger(imageSize));
  return {
    ...describeNetwork(trunkOf(backbone, width), { bits, height: imageSize, width: imageSize }, head),
    settings,
  };
}

/** The trunk of a backbone. */
export function trunkOf(backbone: Backbone, width: number): Trunk {
  return backboneDefinitions[backbone].trunk(width);
}

/** Describes any trunk with a head and a hash layer, for RGB images of `height` × `width` pixels. */
export function describeNetwork(
  trunk: Trunk,
  size: { bits: number; height: number; width: number },
  headSettings: NetworkHead | PartSettings = 'pooled',
): NetworkLayout {
  const table = new PlacementTable(trunk.naming);
  const { layers, channels } = table.place(trunk.layers, 3);
  const trunkParts = { parameters: table.parameters.length, batchNorms: table.batchNorms.length };
  const own =
    typeof headSettings === 'string'
      ? null
      : placeParts(table, trunk, headSettings, channelsBefore(trunk, headSettings), channels);
  const head: PlacedHead =
    typeof headSettings === 'string'
      ? placeHead(headSettings, table, layers, channels)
      : { name: 'parts', width: own!.hashWidth, branches: [], attention: null };
  table.add('fc.weight', 'hashWeight', [head.width, size.bits]);
  table.add('fc.bias', 'hashBias', [size.bits]);
  return {
    trunk,
    ...size,
    outputs: size.bits * (head.attention ? 2 : 1),
    layers,
    head,
    own,
    trunkParts,
    parameters: table.parameters,
    parameterCount: table.parameterCount,
    batchNorms: table.batchNorms,
    statisticsCount: table.statisticsCount,
    featureWidth: channels,
    epsilon: trunk.epsilon,
  };
}

/** Numbers of all local features of one image; 0 where the network has none. */
export function localFeatureCount({ own, featureWidth }: NetworkLayout): number {
  return own ? own.parts * featureWidth : 0;
}

/** Channels of what the branches of ExchNet take. */
function channelsBefore(trunk: Trunk, own: PartSettings): number {
  const { shared } = partLayers(trunk, own.parts);
  return new PlacementTable(trunk.naming).place(trunk.layers.slice(0, shared), 3).channels;
}

function checkRange(name: string, value: number, from: number, to: number, allowed = true): void {
  if (!allowed || !(value >= from && value <= to)) {
    throw new ModelError(
      'MODEL_SETTINGS',
      `model ${name} is ${value}, expected a number from ${from} to ${to}`,
    );
  }
}
