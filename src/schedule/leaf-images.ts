import type { TripletBatch } from '../data/sampler.js';
import type { ReductionTree } from '../reduction/tree.js';
import { bytesOf } from '../transport/bytes.js';

/** The images of one microbatch in wire form: int32 positions in the train split. */
export interface LeafImages {
  readonly index: number;
  readonly anchors: Uint8Array;
  /** Empty when the method uses none. */
  readonly positives: Uint8Array;
}

/** A batch's images by microbatch, in wire form. */
export function leafImages(tree: ReductionTree, batch: TripletBatch, withPositives: boolean): LeafImages[] {
  return tree.leaves.map((index) => {
    const { start, end } = tree.rowsOf(index);
    return {
      index,
      anchors: bytesOf(batch.anchors.subarray(start, end)),
      positives: withPositives ? bytesOf(batch.positives.subarray(start, end)) : new Uint8Array(0),
    };
  });
}
