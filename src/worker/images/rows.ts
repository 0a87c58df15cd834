import { Purpose } from '../../data/random.js';
import type { ViewKey } from '../../data/views.js';
import type { Augmentation } from '../../run/training-run.js';

/** Names the views of a batch's rows. Without it, rows use the query view. */
export interface RowViews {
  readonly purpose: Purpose;
  readonly iteration: number;
  readonly epoch: number;
  /** train index of each row's anchor, [rows] */
  readonly anchors: Int32Array;
}

/** The key of one row's view; null for the query view. */
export function viewOfRow(views: RowViews | null, row: number): ViewKey | null {
  if (views === null) return null;
  const { purpose, iteration, epoch } = views;
  return { purpose, iteration, epoch, anchor: views.anchors[row]! };
}

/** The views of a microbatch's anchors and positives. Both are drawn independently. */
export function viewsOfRows(
  { crop, flip }: Augmentation,
  { iteration, epoch }: { readonly iteration: number; readonly epoch: number },
  anchors: Int32Array,
): { readonly anchors: RowViews | null; readonly positives: RowViews | null } {
  if (crop === 'none' && !flip) return { anchors: null, positives: null };
  const views = (purpose: Purpose) => ({ purpose, iteration, epoch, anchors });
  return { anchors: views(Purpose.anchorView), positives: views(Purpose.positiveView) };
}
