import type { TreeNode } from '../../reduction/tree.js';
import type { Position__Output } from '../../transport/generated/fcaenet/v1/Position.js';
import type { ElementRange } from './ranges.js';

/** What one worker sends to another, without its bytes: a range of a node's gradient, or of the weights. */
export type PartName =
  | {
      readonly kind: 'node';
      readonly position: Position__Output;
      readonly node: TreeNode;
      readonly range: ElementRange;
    }
  | { readonly kind: 'weights'; readonly version: number; readonly range: ElementRange };

/** A part and its wire form, a view into the sender's memory. */
export type OutgoingPart = PartName & { readonly bytes: Uint8Array };

/** The sum of one range of the step's gradient. */
export interface RangeSum {
  readonly position: Position__Output;
  readonly range: ElementRange;
  readonly attempt: number;
  /** From the Reduce message to the sum. */
  readonly reduceSeconds: number;
  /** `[range]`; the receiver gives the memory back. */
  readonly sum: Float32Array;
}

/** Where an exchange's results go. Each call returns at once. */
export interface ExchangeOutput {
  /** Parts for one member are sent in the order of the calls. */
  send(member: number, part: OutgoingPart): void;
  sum(sum: RangeSum): void;
  /** Versions ascend. `bytes` are the exchange's, until it releases them. */
  weights(version: number, bytes: Uint8Array): void;
  weightsMissing(version: number, ranges: readonly ElementRange[]): void;
  /** The exchange uses this memory no more: a held gradient, or weights. Parts that are still to be sent may lie in it. */
  release(buffer: ArrayBufferLike): void;
}
