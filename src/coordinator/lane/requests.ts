import type { MemoryNews, Place } from './known-memory.js';
import type { Advance, Sending } from './lane.js';

interface TrainedPlaces {
  readonly parameters: Place;
  readonly buffer: Place;
}

/** What a thread of a lane is asked. It answers each request, in order. */
export type LaneRequest =
  | ({
      readonly kind: 'advance';
      readonly from: TrainedPlaces;
      readonly into: TrainedPlaces;
      readonly gradient: Place;
      readonly source: Place | null;
    } & Pick<Advance, 'scalars' | 'sending'>)
  | {
      readonly kind: 'encode';
      readonly sending: Sending;
      readonly parameters: Place;
      readonly statistics: readonly Uint8Array[];
    }
  | { readonly kind: 'copy'; readonly from: Place; readonly into: Place }
  | { readonly kind: 'norm'; readonly vector: Place }
  | { readonly kind: 'hash'; readonly vector: Place; readonly begins: boolean }
  | { readonly kind: 'digest' };

/** To a thread of a lane. It does not answer news. */
export type LaneMessage = LaneRequest | MemoryNews;
