import type { NetworkHead, TrainedMethod } from '../../methods/method.js';
import type { ConvolutionLayer } from '../architecture.js';
import type { PlacedLayer, PlacementTable } from '../placement.js';
import { type Stage, stagesOf } from './stages.js';

/** Layers of a head behind a layer of the trunk. */
export interface Branch {
  /** Index of the trunk's layer whose output they take. */
  readonly from: number;
  readonly layers: readonly PlacedLayer[];
}

/** What lies between the trunk and the hash layer, with the place of its tensors. `hashFeatures` computes it. */
export interface PlacedHead {
  readonly name: TrainedMethod['head'];
  /** Features that it gives the hash layer. */
  readonly width: number;
  readonly branches: readonly Branch[];
  /** Layers that make a map of one channel of the picture, by which it is multiplied; null where the trunk sees it whole. */
  readonly attention: readonly PlacedLayer[] | null;
}

/** Gives the tensors of a head their places. */
type PlaceHead = (
  table: PlacementTable,
  trunk: readonly PlacedLayer[],
  channels: number,
) => Omit<PlacedHead, 'name'>;

/** Names of the convolutions of the horizontal pyramid. */
const pyramidNames = ['pyramid1', 'pyramid2'] as const;

/** Names of the convolutions of the attention network of DaSH. */
const attentionNames = ['attention1', 'attention2', 'attention3', 'attention4'] as const;

/** Whether a tensor of a network's file belongs to a head, by its name. */
export function isOfHead(name: string): boolean {
  return [...pyramidNames, ...attentionNames].some(
    (own) => name.startsWith(`${own}.`) || name.startsWith(`${own}_bn.`),
  );
}

const heads: Readonly<Record<NetworkHead, PlaceHead>> = {
  pooled: (_table, _trunk, channels) => ({ width: channels, branches: [], attention: null }),
  pyramids: placePyramids,
  saliency: placeSaliency,
};

/**
 * Places a head behind a trunk.
 * @param channels of the trunk's last feature map
 */
export function placeHead(
  name: NetworkHead,
  table: PlacementTable,
  trunk: readonly PlacedLayer[],
  channels: number,
): PlacedHead {
  return { name, ...heads[name](table, trunk, channels) };
}

/**
 * The pyramids of FPH. The vertical one has the maps of the two deepest stages. The horizontal one brings the maps of the
 * two stages before them to the size and the channels of the smaller one.
 */
function placePyramids(table: PlacementTable, trunk: readonly PlacedLayer[]): Omit<PlacedHead, 'name'> {
  const [largest, large, deep, deepest] = stagesOf(trunk) as [Stage, Stage, Stage, Stage];
  const filters = large.channels;
  const projected = (stage: Stage, name: string, kernel: number, stride: number) => {
    const layer = { name, batchNorm: `${name}_bn`, kernel, stride, filters, padding: (kernel - 1) / 2 };
    const placed = table.place([{ kind: 'convolution', activation: 'relu', ...layer }], stage.channels);
    return { from: stage.end, layers: placed.layers };
  };
  return {
    width: deep.channels + deepest.channels + 5 * filters,
    branches: [
      projected(largest, pyramidNames[0], 3, 2),
      projected(large, pyramidNames[1], 1, 1),
      { from: deep.end, layers: [] },
    ],
    attention: null,
  };
}

/** Channels of the attention network of DaSH. Each layer but the last halves the map. */
const attentionChannels = [16, 32, 32, 1] as const;

/** DaSH: a small fully convolutional network makes an attention map of an eighth of the picture's side. */
function placeSaliency(
  table: PlacementTable,
  _trunk: readonly PlacedLayer[],
  channels: number,
): Omit<PlacedHead, 'name'> {
  const layers = attentionChannels.map((filters, index): ConvolutionLayer => {
    const name = attentionNames[index]!;
    const common = { kind: 'convolution', name, batchNorm: `${name}_bn`, filters } as const;
    return filters === 1
      ? { ...common, kernel: 1, stride: 1, padding: 0, activation: 'none' }
      : { ...common, kernel: 3, stride: 2, padding: 1, activation: 'relu' };
  });
  return { width: channels, branches: [], attention: table.place(layers, 3).layers };
}
