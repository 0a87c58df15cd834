import path from 'node:path';
import { z } from 'zod';
import { ExitCode } from '../errors.js';
import { RunFileError } from '../run/error.js';
import type { RunDirectory } from '../run/run-directory.js';
import type { Dataset, ListedSplit } from './dataset.js';
import { requireSafePath } from './layouts/listing.js';

/** The images of a split, a row each, in the order of the rows of codes. */
export interface ListedPictures {
  /** relative to the list's `imagesFolder`, with `/` as separator */
  readonly paths: readonly string[];
  /** class of each image, an index of `classNames` */
  readonly labels: readonly number[];
}

/** `pictures.json` of a run directory: the image of each row of the run's codes. */
export interface PictureList {
  readonly format: 'fcaenet-pictures';
  readonly formatVersion: 1;
  /** of the dataset */
  readonly fingerprint: string;
  /** relative to the run's `spec.dataset.path`; empty when the images are in that folder itself */
  readonly imagesFolder: string;
  readonly classNames: readonly string[];
  /** rows of the database codes V */
  readonly train: ListedPictures;
  /** rows of the query codes Q */
  readonly test: ListedPictures;
}

/** @param folder the run's `spec.dataset.path` */
export function pictureListOf(dataset: Dataset, folder: string): PictureList {
  return {
    format: 'fcaenet-pictures',
    formatVersion: 1,
    fingerprint: dataset.fingerprint,
    imagesFolder: path.relative(folder, dataset.imagesRoot),
    classNames: dataset.classNames,
    train: picturesOf(dataset.train),
    test: picturesOf(dataset.test),
  };
}

function picturesOf({ paths, labels }: ListedSplit): ListedPictures {
  return { paths, labels: [...labels] };
}

const split = z.object({ paths: z.array(z.string()), labels: z.array(z.int().nonnegative()) });
const listSchema = z.object({
  format: z.literal('fcaenet-pictures'),
  formatVersion: z.literal(1),
  fingerprint: z.string(),
  imagesFolder: z.string(),
  classNames: z.array(z.string()),
  train: split,
  test: split,
});

/**
 * Reads and checks `pictures.json` of a run directory; null for runs of versions that did not write it.
 * @throws RunFileError RUN_PICTURES_DAMAGED, naming the field; DatasetError DATASET_PATH_UNSAFE
 */
export function readPictureList(directory: RunDirectory): PictureList | null {
  const found = directory.readPictures();
  if (found === null) return null;
  const { picturesFile: file } = directory;
  const fail = (what: string) => {
    throw new RunFileError(
      'RUN_PICTURES_DAMAGED',
      `the list of pictures ${file} is damaged: ${what}; delete the file, and --resume of an unfinished run writes it again`,
      ExitCode.badData,
    );
  };
  if (found === undefined) return fail('it is not JSON');
  const { success, data, error } = listSchema.safeParse(found);
  if (!success) {
    const { path: field, message } = error.issues[0]!;
    return fail(
      field.length === 0 ? message : `its field ${field.map(String).join('.')} is wrong (${message})`,
    );
  }
  if (data.imagesFolder !== '') requireSafePath(file, data.imagesFolder, 'imagesFolder');
  for (const name of ['train', 'test'] as const) {
    const { paths, labels } = data[name];
    if (paths.length !== labels.length) {
      fail(`${name} has ${paths.length} paths and ${labels.length} labels, expected as many`);
    }
    const foreign = labels.find((label) => label >= data.classNames.length);
    if (foreign !== undefined) {
      fail(`${name} has the label ${foreign}, expected one below ${data.classNames.length}`);
    }
    for (const [row, image] of paths.entries()) requireSafePath(file, image, `${name}.paths.${row}`);
  }
  return data;
}
