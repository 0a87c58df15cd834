import type { TreeNode } from '../../reduction/tree.js';
import type { ExchangeOrder__Output } from '../../transport/generated/fcaenet/v1/ExchangeOrder.js';
import type { Position__Output } from '../../transport/generated/fcaenet/v1/Position.js';
import type { WeightsRange__Output } from '../../transport/generated/fcaenet/v1/WeightsRange.js';
import type { RangeSum } from '../exchange/output.js';
import type { ElementRange } from '../exchange/ranges.js';
import type { PeeringOptions } from '../peering/peering.js';

/** Start options of the lane's thread. */
export type LaneOptions = Omit<PeeringOptions, 'clock'> & {
  /** Where the thread counts bytes: sent to peers, received from peers. */
  readonly traffic: Float64Array<SharedArrayBuffer>;
};

/** What the coordinator says without tensors; one of them. */
export type LanePlan = Pick<ExchangeOrder__Output, 'peers' | 'weightsPlan' | 'plan' | 'reduce'>;

/** To the thread. */
export type LaneRequest =
  | { readonly kind: 'plan'; readonly message: LanePlan }
  | {
      readonly kind: 'weightsRange';
      readonly message: Omit<WeightsRange__Output, 'transfer'>;
      readonly bytes: Uint8Array;
    }
  | { readonly kind: 'relayed'; readonly member: number; readonly message: Uint8Array }
  | {
      readonly kind: 'hold';
      readonly id: number;
      readonly position: Position__Output;
      readonly node: TreeNode;
      readonly gradient: SharedArrayBuffer;
    }
  /** The memory of weights or of a sum is not read any more. */
  | { readonly kind: 'giveBack'; readonly id: number }
  /** A message was relayed, and the next one may follow. */
  | { readonly kind: 'relayed on' };

/** From the thread. */
export type LaneAnswer =
  | { readonly kind: 'opened'; readonly port: number }
  | {
      readonly kind: 'weights';
      readonly id: number;
      readonly version: number;
      readonly bytes: Uint8Array<SharedArrayBuffer>;
    }
  | { readonly kind: 'sum'; readonly id: number; readonly sum: RangeSum }
  | {
      readonly kind: 'weightsMissing';
      readonly version: number;
      readonly ranges: readonly ElementRange[];
    }
  | { readonly kind: 'weightsLost'; readonly version: number }
  | { readonly kind: 'unreachable'; readonly member: number; readonly reason: string }
  | { readonly kind: 'reached'; readonly member: number }
  | { readonly kind: 'relay'; readonly member: number; readonly message: Uint8Array }
  | { readonly kind: 'released'; readonly id: number }
  | { readonly kind: 'refused'; readonly reason: string }
  /** The lane cannot go on, with a sentence. */
  | { readonly kind: 'failed'; readonly reason: string };
