import { createHash } from 'node:crypto';
import path from 'node:path';
import { disk } from '../disk/disk.js';
import type { DatasetKind } from '../run/training-run.js';
import { DatasetError } from './error.js';
import type { DatasetListing } from './layouts/listing.js';
import { readListing } from './layouts/recognise.js';
import type { TruncatedPictures } from './pixels.js';

export interface DatasetSplit {
  name: 'train' | 'test';
  /** files relative to `imagesRoot`, in the order of the dataset's list (ties in a ranking follow it) */
  paths: readonly string[];
  /** class of each image, in [0, classNames.length) */
  labels: Int32Array;
  /** size of each file in bytes */
  byteCounts: Float64Array;
}

export interface Dataset {
  /** the folder of its lists */
  root: string;
  imagesRoot: string;
  /** the layout that the folder has */
  format: DatasetKind;
  /** names by label */
  classNames: readonly string[];
  /** database and source of the training samples */
  train: DatasetSplit;
  /** queries */
  test: DatasetSplit;
  /** SHA-256, in hex, over the sorted (path, byte count, label, split) of all images */
  fingerprint: string;
  /** what becomes of images whose file ends too early */
  truncatedPictures: TruncatedPictures;
}

/** Enough requests to keep a disk, local or remote, busy. */
const PARALLEL_STATS = 64;

/**
 * Recognises a dataset's layout, reads its lists and looks at the size of every image; decodes nothing.
 *
 * @param onProgress told after each image that was looked at
 * @throws DatasetError when the folder, a list, a line or an image is not as it has to be
 */
export async function loadDataset(
  folder: string,
  onProgress?: (done: number, total: number) => void,
): Promise<Dataset> {
  await refuseMissingFolder(folder);
  const { root, listing } = await readListing(folder);
  const imagesRoot = path.join(root, listing.imagesFolder);
  const byteCounts = await imageByteCounts(imagesRoot, listing.images, onProgress);
  const train = split('train', listing, byteCounts, root);
  const test = split('test', listing, byteCounts, root);
  return {
    root,
    imagesRoot,
    format: listing.format,
    classNames: listing.classNames,
    train,
    test,
    fingerprint: fingerprint([train, test]),
    truncatedPictures: listing.format === 'vegfru' ? 'fill' : 'refuse',
  };
}

/** SHA-256, in hex, of one line `path, byte count, label, split` per image, tab-separated, sorted by path. */
export function fingerprint(splits: readonly DatasetSplit[]): string {
  const lines = splits.flatMap(({ name, paths, labels, byteCounts }) =>
    paths.map((file, index) => ({
      file,
      line: `${file}\t${byteCounts[index]}\t${labels[index]}\t${name}\n`,
    })),
  );
  lines.sort((left, right) => (left.file < right.file ? -1 : 1));
  const hash = createHash('sha256');
  for (const { line } of lines) hash.update(line);
  return hash.digest('hex');
}

function split(
  name: 'train' | 'test',
  listing: DatasetListing,
  byteCounts: Float64Array,
  root: string,
): DatasetSplit {
  const members = [...listing.images.keys()].filter((image) => listing.images[image]!.split === name);
  if (members.length === 0) {
    throw new DatasetError(
      'DATASET_SPLIT_EMPTY',
      `${listing.splitList[name]} of ${root} gives no image to the ${name} split, which needs at least one`,
    );
  }
  return {
    name,
    paths: members.map((image) => listing.images[image]!.path),
    labels: Int32Array.from(members, (image) => listing.images[image]!.label),
    byteCounts: Float64Array.from(members, (image) => byteCounts[image]!),
  };
}

async function imageByteCounts(
  imagesRoot: string,
  images: DatasetListing['images'],
  onProgress: ((done: number, total: number) => void) | undefined,
): Promise<Float64Array> {
  const byteCounts = new Float64Array(images.length);
  let next = 0;
  let done = 0;
  const lookAtImages = async () => {
    while (next < images.length) {
      const index = next;
      next += 1;
      const image = images[index]!;
      byteCounts[index] = await fileSize(path.join(imagesRoot, image.path), image.place);
      done += 1;
      onProgress?.(done, images.length);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL_STATS }, lookAtImages));
  return byteCounts;
}

async function fileSize(file: string, place: string): Promise<number> {
  const status = await disk.stat(file).catch((cause: NodeJS.ErrnoException) => {
    const reason = cause.code === 'ENOENT' ? 'does not exist' : `cannot be read (${cause.code})`;
    throw new DatasetError('DATASET_IMAGE_MISSING', `the image ${file}, listed in ${place}, ${reason}`, {
      cause,
    });
  });
  if (!status.isFile()) {
    throw new DatasetError('DATASET_IMAGE_MISSING', `the image ${file}, listed in ${place}, is not a file`);
  }
  return status.size;
}

async function refuseMissingFolder(root: string): Promise<void> {
  const status = await disk.stat(root).catch(() => undefined);
  if (status === undefined || !status.isDirectory()) {
    throw new DatasetError(
      'DATASET_FOLDER_MISSING',
      `the dataset folder ${root} ${status === undefined ? 'does not exist' : 'is not a folder'}: make a synthetic one with "npx fcaenet dataset make ${root}", or unpack CUB-200-2011 (https://www.vision.caltech.edu/datasets/cub_200_2011/) or another of the datasets in docs/datasets.md and give its folder`,
    );
  }
}
