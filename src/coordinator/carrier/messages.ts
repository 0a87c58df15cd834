import type { WirePrecision } from '../../run/training-run.js';
import type { RangeResult__Output } from '../../transport/generated/fcaenet/v1/RangeResult.js';
import type { Peer, PeerIdentity } from '../../transport/peers/identity.js';
import type { WireVector } from '../../transport/wire-vector.js';
import type { MemoryNews, Place } from '../lane/known-memory.js';

/** Start options of the carrier's thread. */
export interface CarrierOptions {
  readonly identity: PeerIdentity;
  /** Of gradients on the wire. */
  readonly precision: WirePrecision;
  /** Elements of what is added in ranges: the gradient and behind it the moments, as words of that size. */
  readonly vectorLength: number;
}

/** A sum that has come whole, without its elements. */
export interface Arrival {
  readonly result: RangeResult__Output;
  /** Bytes of all its messages. */
  readonly messageBytes: number;
  /** From its announcement to its last byte. */
  readonly seconds: number;
}

export interface ArrivedRange extends Arrival {
  /** In shared memory, which is the same object for every sum that lies in it. */
  readonly sum: WireVector;
}

/** To the thread. */
export type CarrierRequest =
  | {
      readonly kind: 'connect';
      readonly connection: number;
      readonly peer: Peer;
      readonly connectMs: number;
    }
  | { readonly kind: 'disconnect'; readonly connection: number }
  | { readonly kind: 'send'; readonly connection: number; readonly messages: readonly Uint8Array[] }
  /** The memory of a sum is not read any more. */
  | { readonly kind: 'done'; readonly id: number };

/** From the thread. */
export type CarrierAnswer =
  | { readonly kind: 'opened'; readonly connection: number }
  | {
      readonly kind: 'lost';
      readonly connection: number;
      readonly reason: string;
      readonly isRefused: boolean;
    }
  /** A message has left for the connection. */
  | { readonly kind: 'left'; readonly connection: number }
  | ({
      readonly kind: 'arrived';
      readonly connection: number;
      readonly id: number;
      readonly place: Place;
    } & Arrival)
  | MemoryNews;
