import path from 'node:path';
import type { DatasetKind } from '../run/training-run.js';
import type { DigestMemory } from './content/digest-pictures.js';
import { inParallel } from './content/parallel.js';
import { type Dataset, type ListedDataset, type ListedSplit, loadDataset } from './dataset.js';
import { DatasetError } from './error.js';
import { officialCounts } from './layouts/layouts.js';
import { decodeImage } from './pixels.js';
import { isSyntheticDataset } from './synthetic/make.js';

export interface ClassCount {
  name: string;
  /** train images */
  images: number;
}

export interface DatasetReport {
  /** the layout that the folder has */
  format: DatasetKind;
  classes: number;
  /** images */
  train: number;
  /** images */
  test: number;
  /** bytes of the train images' files */
  trainBytes: number;
  /** bytes of the test images' files */
  testBytes: number;
  fingerprint: string;
  smallestClass: ClassCount;
  largestClass: ClassCount;
  /** names of the classes with one train image, which is its own positive */
  loneClasses: string[];
  /**
   * one sentence about how this differs from the published dataset; undefined when it does not differ, or was not
   * checked
   */
  unofficial: string | undefined;
  /** one sentence per image that cannot be decoded; undefined when images were not decoded */
  damagedImages: string[] | undefined;
  /** images whose file ends too early but that can be decoded; undefined when images were not decoded */
  truncatedImages: string[] | undefined;
}

export interface CheckOptions {
  /** read and decode every image, also those whose digest is stored */
  deep: boolean;
  /** accept fewer images than published, or a user's own folder in the layout of CUB-200-2011 */
  subset: boolean;
  /** digests that this machine has stored; undefined reads every image */
  memory?: DigestMemory;
  /** called after each image that was examined, read because its digest was not stored, or decoded */
  onProgress?: (what: 'listing' | 'reading' | 'decoding', done: number, total: number) => void;
}

const parallelDecodes = 4;

/**
 * Checks a dataset.
 * @throws DatasetError the errors of `loadDataset`; wrong counts and damaged images are reported, not thrown
 */
export async function checkDataset(folder: string, options: CheckOptions): Promise<DatasetReport> {
  const { onProgress } = options;
  const dataset = await loadDataset(folder, {
    memory: options.memory ?? null,
    afresh: options.deep,
    ...(onProgress && { onProgress }),
  });
  const { classNames, train, test, format, fingerprint } = dataset;
  const counts: ClassCount[] = classNames.map((name) => ({ name, images: 0 }));
  for (const label of train.labels) counts[label]!.images += 1;
  const bySize = counts.toSorted((left, right) => left.images - right.images);
  const anyCounts = options.subset || (await isSyntheticDataset(dataset.root));
  const decoded = options.deep
    ? await decodeAll(dataset, (done, total) => onProgress?.('decoding', done, total))
    : undefined;
  return {
    format,
    classes: classNames.length,
    train: train.paths.length,
    test: test.paths.length,
    trainBytes: byteCountOf(train),
    testBytes: byteCountOf(test),
    fingerprint,
    smallestClass: bySize[0]!,
    largestClass: bySize.at(-1)!,
    loneClasses: counts.filter(({ images }) => images === 1).map(({ name }) => name),
    unofficial: anyCounts ? undefined : differenceFromOfficial(dataset),
    damagedImages: decoded?.damaged,
    truncatedImages: decoded?.truncated,
  };
}

/** One sentence about how a dataset's counts differ from the published ones; undefined when they do not differ. */
export function differenceFromOfficial({
  format,
  root,
  classNames,
  train,
  test,
}: Pick<ListedDataset, 'format' | 'root' | 'classNames'> & {
  readonly train: Pick<ListedSplit, 'paths'>;
  readonly test: Pick<ListedSplit, 'paths'>;
}): string | undefined {
  const official = officialCounts[format];
  const found = { classes: classNames.length, train: train.paths.length, test: test.paths.length };
  const same =
    found.classes === official.classes && found.train === official.train && found.test === official.test;
  if (same) return undefined;
  return (
    `${root} has ${found.classes} classes, ${found.train} train and ${found.test} test images, but ` +
    `${official.title} has ${official.classes}, ${official.train} and ${official.test}; --subset accepts a part of it, or your own pictures`
  );
}

function byteCountOf(split: ListedSplit): number {
  return split.byteCounts.reduce((sum, bytes) => sum + bytes, 0);
}

async function decodeAll(
  { imagesRoot, train, test, truncatedPictures }: Dataset,
  onProgress: (done: number, total: number) => void,
): Promise<{ damaged: string[]; truncated: string[] }> {
  const files = [train, test].flatMap(({ paths }) => paths);
  const damaged: string[] = [];
  const truncated: string[] = [];
  let done = 0;
  await inParallel(parallelDecodes, files.keys(), async (index) => {
    const file = path.join(imagesRoot, files[index]!);
    const problem = await problemOf(file, 'reject');
    if (problem !== undefined) {
      const filled = truncatedPictures === 'fill' && (await problemOf(file, 'fill')) === undefined;
      (filled ? truncated : damaged).push(problem);
    }
    onProgress(++done, files.length);
  });
  return { damaged: damaged.sort(), truncated: truncated.sort() };
}

async function problemOf(file: string, truncated: 'reject' | 'fill'): Promise<string | undefined> {
  try {
    await decodeImage(file, 32, truncated);
    return undefined;
  } catch (error) {
    if (!(error instanceof DatasetError)) throw error;
    return error.message;
  }
}
