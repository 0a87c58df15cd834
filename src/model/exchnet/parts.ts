import type { ConvolutionLayer, DepthwiseLayer, Layer, ResidualLayer, Trunk } from '../architecture.js';
import type { PlacedLayer, PlacementTable } from '../placement.js';

/** What decides the local branch, besides the trunk. */
export interface PartSettings {
  /** M, the number of attention maps and so of local features. */
  readonly parts: number;
  /** Names of the terms of the loss that the branch adds. */
  readonly terms: readonly string[];
}

/** The layers of ExchNet beside those of its trunk. */
export interface PartLayers {
  /** Number of layers of the trunk before its last stage, whose output E all branches take. */
  readonly shared: number;
  /** From E to attention maps `[rows, height, width, parts]`. */
  readonly attention: readonly Layer[];
  /** From attended E to local feature maps. */
  readonly local: readonly Layer[];
}

/** The local branch with the place of every tensor. */
export interface PlacedParts extends PartSettings {
  readonly shared: number;
  readonly attention: readonly PlacedLayer[];
  readonly local: readonly PlacedLayer[];
  /** Inputs of the hash layer: features of every part, then those of the trunk. */
  readonly hashWidth: number;
}

/** Begin the names of the layers of each branch. */
const prefixes = { attention: 'attention.', local: 'local.' } as const;
/** Name of the convolution that makes the attention maps. */
const mapsName = `${prefixes.attention}maps`;

/**
 * The layers of ExchNet for a trunk. Its last stage begins at the last layer that halves the picture. The local branch
 * is a copy of that stage, and attention a copy without the stride, with a 1 × 1 convolution, BatchNorm and ReLU.
 */
export function partLayers({ layers }: Trunk, parts: number): PartLayers {
  const shared = layers.findLastIndex(strides);
  const stage = layers.slice(shared);
  const maps: ConvolutionLayer = {
    kind: 'convolution',
    name: mapsName,
    batchNorm: `${mapsName}_bn`,
    kernel: 1,
    stride: 1,
    padding: 0,
    filters: parts,
    activation: 'relu',
  };
  return {
    shared,
    attention: [...stage.map((layer) => copied(layer, prefixes.attention, 1)), maps],
    local: stage.map((layer) => copied(layer, prefixes.local, null)),
  };
}

/**
 * Places the local branch behind a trunk.
 * @param sharedChannels channels of E
 * @param featureWidth channels of the trunk's last feature map
 */
export function placeParts(
  table: Pick<PlacementTable, 'place'>,
  trunk: Trunk,
  { parts, terms }: PartSettings,
  sharedChannels: number,
  featureWidth: number,
): PlacedParts {
  const { shared, attention, local } = partLayers(trunk, parts);
  return {
    parts,
    terms,
    shared,
    attention: table.place(attention, sharedChannels).layers,
    local: table.place(local, sharedChannels).layers,
    hashWidth: (parts + 1) * featureWidth,
  };
}

/**
 * The tensor of a backbone's weight file that a tensor of an ExchNet begins with: its branches begin with the weights of
 * the last stage. Null for the attention maps' convolution, which no file has.
 */
export function pretrainedName(name: string): string | null {
  if (name.startsWith(mapsName)) return null;
  const prefix = Object.values(prefixes).find((each) => name.startsWith(each)) ?? '';
  return name.slice(prefix.length);
}

/** Whether a tensor of a network's file belongs to a branch of ExchNet, by its name. */
export function isOfParts(name: string): boolean {
  return Object.values(prefixes).some((prefix) => name.startsWith(prefix));
}

function strides(layer: Layer): boolean {
  return layer.kind === 'residual' ? layer.main.some(strides) : layer.stride > 1;
}

/** A layer with other names, and with this stride where one is given. */
function copied(layer: Layer, prefix: string, stride: number | null): Layer {
  if (layer.kind === 'maxPool') return { ...layer, stride: stride ?? layer.stride };
  if (layer.kind === 'residual') {
    return {
      kind: 'residual',
      main: layer.main.map((each) => copied(each, prefix, stride)) as unknown as ResidualLayer['main'],
      shortcut: layer.shortcut.map((each) => copied(each, prefix, stride)),
    };
  }
  return copiedFilter(layer, prefix, stride);
}

function copiedFilter<Filter extends ConvolutionLayer | DepthwiseLayer>(
  layer: Filter,
  prefix: string,
  stride: number | null,
): Filter {
  return {
    ...layer,
    name: `${prefix}${layer.name}`,
    batchNorm: `${prefix}${layer.batchNorm}`,
    stride: stride ?? layer.stride,
  };
}
