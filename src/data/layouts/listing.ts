import { quote } from '../../errors.js';
import type { DatasetKind } from '../../run/training-run.js';
import { DatasetError } from '../error.js';
import type { TruncatedPictures } from '../pixels.js';

/** Numbers of a published dataset, with the splits of the paper. */
export interface OfficialCounts {
  /** the dataset's own name */
  readonly title: string;
  readonly classes: number;
  /** number of training images, which are the database */
  readonly train: number;
  /** number of test images, which are the queries */
  readonly test: number;
}

/** How a dataset is recognised and read. */
export interface DatasetLayout {
  readonly title: string;
  /** files and folders that only this layout has; one of them is enough to recognise it */
  readonly signs: readonly string[];
  /** other files and folders that the layout requires */
  readonly others: readonly string[];
  /** published datasets with this layout */
  readonly official: Partial<Readonly<Record<DatasetKind, OfficialCounts>>>;
  /** how an image is treated whose file ends too early */
  readonly truncatedPictures: TruncatedPictures;
  readonly read: (root: string) => Promise<DatasetListing>;
}

/** One image as listed in a dataset, before its file is examined. */
export interface ListedImage {
  /** relative to the layout's folder of images, with `/` as separator */
  readonly path: string;
  readonly label: number;
  readonly split: 'train' | 'test';
  /** its position, for messages: `images.txt, line 7` */
  readonly place: string;
}

/** The content of a dataset's lists, before any image is examined. Images are in the order of the lists. */
export interface DatasetListing {
  readonly format: DatasetKind;
  /** relative to the dataset's folder; empty when that folder itself contains the images */
  readonly imagesFolder: string;
  /** the list that assigns images to a split, for messages */
  readonly splitList: Readonly<Record<'train' | 'test', string>>;
  /** names by label */
  readonly classNames: readonly string[];
  readonly images: readonly ListedImage[];
}

/** An image whose class is still the dataset's own number. */
export type ClassedImage = Omit<ListedImage, 'label'> & { readonly classId: number };

/**
 * Numbers the classes that have images from 0, in the order of their ids. Ids may have gaps, and a part of a dataset
 * may lack classes.
 */
export function numberClasses(
  images: readonly ClassedImage[],
  nameOfClass: (classId: number) => string,
): Pick<DatasetListing, 'classNames' | 'images'> {
  const used = [...new Set(images.map(({ classId }) => classId))].sort((left, right) => left - right);
  const labels = new Map(used.map((classId, label) => [classId, label]));
  return {
    classNames: used.map(nameOfClass),
    images: images.map(({ classId, ...image }) => ({ ...image, label: labels.get(classId)! })),
  };
}

/**
 * The images of a dataset that lists each split in a file of its own, the train split first.
 * @param read the images of one split
 * @throws DatasetError DATASET_ENTRY_DUPLICATE when two lines name the same image, and what `read` throws
 */
export async function readSplits(
  root: string,
  read: (split: 'train' | 'test') => Promise<ClassedImage[]>,
): Promise<ClassedImage[]> {
  const images = [...(await read('train')), ...(await read('test'))];
  requireUniqueImages(root, images);
  return images;
}

/** @throws DatasetError DATASET_ENTRY_DUPLICATE when two lines name the same image */
export function requireUniqueImages(root: string, images: readonly { path: string; place: string }[]): void {
  const places = new Map<string, string>();
  for (const { path, place } of images) {
    const earlier = places.get(path);
    if (earlier !== undefined) {
      throw new DatasetError(
        'DATASET_ENTRY_DUPLICATE',
        `${place} of ${root} names the image ${quote(path)} a second time (first: ${earlier})`,
      );
    }
    places.set(path, place);
  }
}

/** Longer than any file system allows. */
const mostPathLetters = 1_000;

/**
 * A list may come from any source. Its paths must stay inside the dataset's folder on every system.
 * @throws DatasetError DATASET_PATH_UNSAFE
 */
export function requireSafePath(root: string, path: string, place: string): void {
  const segments = path.split('/');
  const unsafe = segments.some((segment) => segment === '' || segment === '.' || segment === '..');
  if (unsafe || path.length > mostPathLetters || /[\\\0]/.test(path) || /^[A-Za-z]:/.test(path)) {
    throw new DatasetError(
      'DATASET_PATH_UNSAFE',
      `${place} of ${root} has the path ${quote(path)}, expected a path inside the dataset of at most ${mostPathLetters} characters without "..", backslashes or empty parts`,
    );
  }
}
