import { Purpose } from '../../data/random.js';
import type { ViewKey } from '../../data/views.js';
import type { Augmentation } from '../../run/training-run.js';

/** Names what the rows of a batch see of their pictures; without it they see what queries see. */
export interface RowViews {
  readonly purpose: Purpose;
  readonly iteration: number;
  readonly epoch: number;
  /** train index of each row's anchor, [rows] */
  readonly anchors: Int32Array;
}

/** The key of one row's view; null where rows see what queries see. */
export function viewOfRow(views: RowViews | null, row: number): ViewKey | null {
  if (views === null) return null;
  const { purpose, iteration, epoch } = views;
  return { purpose, iteration, epoch, anchor: views.anchors[row]! };
}

/** What the rows of a microbatch see of their anchors and of their positives, each by draws of its own. */
export function viewsOfRows(
  { crop, flip }: Augmentation,
  { iteration, epoch }: { readonly iteration: number; readonly epoch: number },
  anchors: Int32Array,
): { readonly anchors: RowViews | null; readonly positives: RowViews | null } {
  if (crop === 'none' && !flip) return { anchors: null, positives: null };
  const views = (purpose: Purpose) => ({ purpose, iteration, epoch, anchors });
  return { anchors: views(Purpose.anchorView), positives: views(Purpose.positiveView) };
}
