import type { NetworkHead } from '../../methods/method.js';
import type { PlacedLayer, PlacementTable } from '../placement.js';

/** Layers of a head behind a layer of the trunk. */
export interface Branch {
  /** Index of the trunk's layer whose output it takes. */
  readonly from: number;
  readonly layers: readonly PlacedLayer[];
}

/** What lies between the trunk and the hash layer, with the place of its tensors. `hashFeatures` computes it. */
export interface PlacedHead {
  readonly name: NetworkHead;
  /** Features that it gives the hash layer. */
  readonly width: number;
  readonly branches: readonly Branch[];
}

/** Gives the tensors of a head their places. */
type PlaceHead = (
  table: PlacementTable,
  trunk: readonly PlacedLayer[],
  channels: number,
) => Omit<PlacedHead, 'name'>;

const heads: Readonly<Record<NetworkHead, PlaceHead>> = {
  pooled: (_table, _trunk, channels) => ({ width: channels, branches: [] }),
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
