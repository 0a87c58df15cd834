import type { OverdueOperation } from '../../disk/watch.js';
import type { RowViews } from './rows.js';
import type { ImageSourceOptions } from './source.js';

/** Start options of the image thread: the splits' options, without those that cannot be sent to a thread. */
export type LoaderOptions = Omit<ImageSourceOptions, 'split' | 'onNotice'>;

export type Split = 'train' | 'test';

/** To the thread. */
export type LoaderRequest =
  | {
      readonly kind: 'read';
      readonly id: number;
      readonly split: Split;
      readonly indices: Int32Array;
      readonly views: RowViews | null;
    }
  | {
      readonly kind: 'prefetch';
      readonly split: Split;
      readonly indices: Int32Array;
      readonly views: RowViews | null;
    }
  | { readonly kind: 'close' };

export type LoaderStatistics = Readonly<Record<Split, { readonly decoded: number; readonly cached: number }>>;

/** From the thread. */
export type LoaderAnswer =
  | { readonly kind: 'opened' }
  | {
      readonly kind: 'pixels';
      readonly id: number;
      readonly pixels: Uint8Array<ArrayBuffer>;
      readonly statistics: LoaderStatistics;
    }
  /** `code` is a DatasetError's; undefined for any other failure. */
  | {
      readonly kind: 'failed';
      readonly id: number;
      readonly code: string | undefined;
      readonly message: string;
    }
  | { readonly kind: 'notice'; readonly message: string }
  | ({ readonly kind: 'overdue' } & OverdueOperation);
