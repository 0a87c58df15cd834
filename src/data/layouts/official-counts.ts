import type { DatasetKind } from '../../run/training-run.js';

export interface OfficialCounts {
  /** the dataset's own name */
  readonly title: string;
  readonly classes: number;
  /** images, the database */
  readonly train: number;
  /** images, the queries */
  readonly test: number;
}

/** Counts of the published datasets, with the splits that the paper uses for training and queries. */
export const officialCounts: Readonly<Record<DatasetKind, OfficialCounts>> = {
  cub: { title: 'CUB-200-2011', classes: 200, train: 5_994, test: 5_794 },
  aircraft: { title: 'FGVC-Aircraft 2013b', classes: 100, train: 6_667, test: 3_333 },
  nabirds: { title: 'NABirds', classes: 555, train: 23_929, test: 24_633 },
  vegfru: { title: 'VegFru', classes: 292, train: 29_200, test: 116_931 },
  food101: { title: 'Food-101', classes: 101, train: 75_750, test: 25_250 },
};
