import { quote } from '../../errors.js';
import type { DatasetKind } from '../../run/training-run.js';
import { DatasetError } from '../error.js';

/** One image as the lists of a dataset describe it, before its file is looked at. */
export interface ListedImage {
  /** below the layout's folder of images, with `/` between its parts */
  readonly path: string;
  readonly label: number;
  readonly split: 'train' | 'test';
  /** where it stands, for messages: `images.txt, line 7` */
  readonly place: string;
}

/** What the lists of a dataset say, before any image is looked at; images stand in the order of the lists. */
export interface DatasetListing {
  readonly format: DatasetKind;
  /** relative to the dataset's folder; empty where that itself holds the images */
  readonly imagesFolder: string;
  /** what gives images to a split, for messages */
  readonly splitList: Readonly<Record<'train' | 'test', string>>;
  /** names by label */
  readonly classNames: readonly string[];
  readonly images: readonly ListedImage[];
}

/** An image whose class is still the number that the dataset itself gives it. */
export type ClassedImage = Omit<ListedImage, 'label'> & { readonly classId: number };

/**
 * Numbers the classes that have images from 0, in the order of their ids: ids may have gaps, and a part of a dataset
 * need not have all classes.
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

/** @throws DatasetError DATASET_ENTRY_DUPLICATE where two lines name the same image */
export function refuseDoubledImages(root: string, images: readonly { path: string; place: string }[]): void {
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

/** No file system takes names of many times this. */
const mostPathLetters = 1_000;

/**
 * A list may come from anywhere: it must not reach outside the dataset's folder on any system.
 * @throws DatasetError DATASET_PATH_UNSAFE
 */
export function refuseUnsafePath(root: string, path: string, place: string): void {
  const segments = path.split('/');
  const unsafe = segments.some((segment) => segment === '' || segment === '.' || segment === '..');
  if (unsafe || path.length > mostPathLetters || /[\\\0]/.test(path) || /^[A-Za-z]:/.test(path)) {
    throw new DatasetError(
      'DATASET_PATH_UNSAFE',
      `${place} of ${root} has the path ${quote(path)} where a path inside the dataset of at most ${mostPathLetters} letters without "..", backslashes or empty parts was expected`,
    );
  }
}
