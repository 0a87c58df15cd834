import path from 'node:path';
import { type DatasetSplit, loadDataset } from './dataset.js';
import { DatasetError } from './error.js';
import { decodeImage } from './pixels.js';

export interface ClassCount {
  name: string;
  /** train images */
  images: number;
}

export interface DatasetReport {
  format: 'cub';
  classes: number;
  /** images */
  train: number;
  /** images */
  test: number;
  fingerprint: string;
  smallestClass: ClassCount;
  largestClass: ClassCount;
  /** names of the classes with one train image, which has to be its own positive */
  loneClasses: string[];
  /** one sentence per image that cannot be decoded; undefined when images were not decoded */
  damagedImages: string[] | undefined;
}

export interface CheckOptions {
  /** decode every image, not only look at its size */
  deep: boolean;
  /** told after each decoded image */
  onProgress?: (done: number, total: number) => void;
}

const PARALLEL_DECODES = 4;

/**
 * Looks a dataset over.
 *
 * @throws DatasetError what `loadDataset` throws; damaged images are reported, not thrown
 */
export async function checkDataset(root: string, options: CheckOptions): Promise<DatasetReport> {
  const { classNames, train, test, ...dataset } = await loadDataset(root);
  const counts: ClassCount[] = classNames.map((name) => ({ name, images: 0 }));
  for (const label of train.labels) counts[label]!.images += 1;
  const bySize = counts.toSorted((left, right) => left.images - right.images);
  return {
    format: dataset.format,
    classes: classNames.length,
    train: train.paths.length,
    test: test.paths.length,
    fingerprint: dataset.fingerprint,
    smallestClass: bySize[0]!,
    largestClass: bySize.at(-1)!,
    loneClasses: counts.filter(({ images }) => images === 1).map(({ name }) => name),
    damagedImages: options.deep
      ? await damagedImages(dataset.imagesRoot, [train, test], options.onProgress)
      : undefined,
  };
}

async function damagedImages(
  imagesRoot: string,
  splits: readonly DatasetSplit[],
  onProgress: CheckOptions['onProgress'],
): Promise<string[]> {
  const files = splits.flatMap(({ paths }) => paths);
  const damaged: string[] = [];
  let next = 0;
  let done = 0;
  const decodeImages = async () => {
    while (next < files.length) {
      const file = files[next]!;
      next += 1;
      try {
        await decodeImage(path.join(imagesRoot, file), 32);
      } catch (error) {
        if (!(error instanceof DatasetError)) throw error;
        damaged.push(error.message);
      }
      done += 1;
      onProgress?.(done, files.length);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL_DECODES }, decodeImages));
  return damaged.sort();
}
