import type { DatasetKind } from '../../run/training-run.js';
import type { TruncatedPictures } from '../pixels.js';
import { aircraft } from './aircraft.js';
import { food101 } from './food101.js';
import { joinedLists } from './joined-lists.js';
import type { DatasetLayout, OfficialCounts } from './listing.js';
import { vegfru } from './vegfru.js';

/** The layouts that are read. Of a folder with signs of several as many of each, the first is taken. */
export const layouts: readonly DatasetLayout[] = [joinedLists, aircraft, vegfru, food101];

/** What the datasets hold as published: every one that a run file may name belongs to a layout. */
export const officialCounts: Readonly<Record<DatasetKind, OfficialCounts>> = {
  ...joinedLists.official,
  ...aircraft.official,
  ...vegfru.official,
  ...food101.official,
};

/** How pictures of a dataset are handled whose file ends too early; null is a dataset of any kind. */
export function truncatedPicturesOf(kind: DatasetKind | null): TruncatedPictures {
  const layout = kind && layouts.find(({ official }) => Object.hasOwn(official, kind));
  return layout ? layout.truncatedPictures : 'reject';
}
