import { createHash } from 'node:crypto';
import path from 'node:path';
import { shellLine } from '../console/own-command.js';
import { disk } from '../disk/disk.js';
import { isAbsence } from '../run/presence.js';
import type { DatasetKind } from '../run/training-run.js';
import { digestBytes, type FileStamp } from './content/digest-file.js';
import { type DigestMemory, digestPictures } from './content/digest-pictures.js';
import { examinePictures } from './content/examine-pictures.js';
import { DatasetError } from './error.js';
import type { DatasetLayout, DatasetListing } from './layouts/listing.js';
import { readListing } from './layouts/recognise.js';
import type { TruncatedPictures } from './pixels.js';

/** A split: its lists and the sizes of its files. */
export interface ListedSplit {
  name: 'train' | 'test';
  /** files relative to `imagesRoot`, in the order of the dataset's list (ties in a ranking follow it) */
  paths: readonly string[];
  /** class of each image, in [0, classNames.length) */
  labels: Int32Array;
  /** size of each file in bytes */
  byteCounts: Float64Array;
}

export interface DatasetSplit extends ListedSplit {
  /** SHA-256 of each file's content, `[count, 32]` */
  digests: Uint8Array;
}

/** A dataset whose pictures have not been read. */
export interface ListedDataset {
  /** the folder of its lists */
  root: string;
  imagesRoot: string;
  /** the folder's layout */
  format: DatasetKind;
  /** names by label */
  classNames: readonly string[];
  /** database and source of the training samples */
  train: ListedSplit;
  /** queries */
  test: ListedSplit;
  /** how images whose file ends too early are handled */
  truncatedPictures: TruncatedPictures;
}

export interface Dataset extends ListedDataset {
  train: DatasetSplit;
  test: DatasetSplit;
  /** see {@link fingerprint} */
  fingerprint: string;
}

export interface LoadOptions {
  /** digests that this machine has stored; null reads every picture */
  readonly memory?: DigestMemory | null;
  /** also reads pictures whose digest is stored */
  readonly afresh?: boolean;
  /** the time of day, in milliseconds since 1970 */
  readonly nowMs?: () => number;
  /** stops between two images */
  readonly signal?: AbortSignal;
  /** called after each examined image, and after each image that was read because its digest was not stored */
  readonly onProgress?: (what: 'listing' | 'reading', done: number, total: number) => void;
}

/**
 * Recognises a dataset's layout, reads its lists and examines the size of every image. Reads no image.
 * @throws DatasetError when the folder, a list, a line or an image is invalid
 */
export async function listDataset(folder: string): Promise<ListedDataset> {
  return describe(await examine(folder, undefined));
}

/**
 * Loads a dataset with the digest of every image's content. Decodes nothing.
 * @throws DatasetError as `listDataset`; the signal's reason when aborted
 */
export async function loadDataset(
  folder: string,
  { memory = null, afresh = false, nowMs = Date.now, signal, onProgress }: LoadOptions = {},
): Promise<Dataset> {
  const examined = await examine(folder, onProgress);
  const { listing, stamps } = examined;
  const listed = describe(examined);
  const files = listing.images.map((image) => path.join(listed.imagesRoot, image.path));
  const digests = await digestPictures(listed.imagesRoot, files, stamps, {
    memory,
    afresh,
    nowMs,
    signal,
    onProgress: (done, total) => onProgress?.('reading', done, total),
  });
  const withDigests = (split: ListedSplit): DatasetSplit => ({
    ...split,
    digests: new Uint8Array(
      Buffer.concat(
        membersOf(listing, split.name).map((image) =>
          digests.subarray(image * digestBytes, (image + 1) * digestBytes),
        ),
      ),
    ),
  });
  const [train, test] = [withDigests(listed.train), withDigests(listed.test)];
  return { ...listed, train, test, fingerprint: fingerprint([train, test]) };
}

/**
 * SHA-256, in hex, of the format's name and one line `path, SHA-256 of the content, label, split` per image,
 * tab-separated, sorted by path.
 */
function fingerprint(splits: readonly DatasetSplit[]): string {
  const lines = splits.flatMap(({ name, paths, labels, digests }) =>
    paths.map((file, index) => ({
      file,
      line: `${file}\t${hexOf(digests, index)}\t${labels[index]}\t${name}\n`,
    })),
  );
  lines.sort((left, right) => (left.file < right.file ? -1 : 1));
  const hash = createHash('sha256').update('fcaenet dataset 2\n');
  for (const { line } of lines) hash.update(line);
  return hash.digest('hex');
}

/** The digest of one image, in hexadecimal. */
export function hexOf(digests: Uint8Array, index: number): string {
  return Buffer.from(digests.subarray(index * digestBytes, (index + 1) * digestBytes)).toString('hex');
}

interface Examined {
  readonly root: string;
  readonly layout: DatasetLayout;
  readonly listing: DatasetListing;
  /** of the listing's images */
  readonly stamps: readonly FileStamp[];
}

async function examine(folder: string, onProgress: LoadOptions['onProgress']): Promise<Examined> {
  await requireFolder(folder);
  const { root, layout, listing } = await readListing(folder);
  const stamps = await examinePictures(path.join(root, listing.imagesFolder), listing.images, (done, total) =>
    onProgress?.('listing', done, total),
  );
  return { root, layout, listing, stamps };
}

function describe(examined: Examined): ListedDataset {
  const { root, layout, listing } = examined;
  return {
    root,
    imagesRoot: path.join(root, listing.imagesFolder),
    format: listing.format,
    classNames: listing.classNames,
    train: split('train', examined),
    test: split('test', examined),
    truncatedPictures: layout.truncatedPictures,
  };
}

/** Indices in the listing of a split's images. */
function membersOf({ images }: DatasetListing, name: 'train' | 'test'): number[] {
  return [...images.keys()].filter((image) => images[image]!.split === name);
}

function split(name: 'train' | 'test', { root, listing, stamps }: Examined): ListedSplit {
  const members = membersOf(listing, name);
  if (members.length === 0) {
    throw new DatasetError(
      'DATASET_SPLIT_EMPTY',
      `${listing.splitList[name]} of ${root} lists no image of the ${name} split, expected at least one`,
    );
  }
  return {
    name,
    paths: members.map((image) => listing.images[image]!.path),
    labels: Int32Array.from(members, (image) => listing.images[image]!.label),
    byteCounts: Float64Array.from(members, (image) => Number(stamps[image]!.size)),
  };
}

async function requireFolder(root: string): Promise<void> {
  const status = await disk.stat(root).catch((cause: NodeJS.ErrnoException) => {
    if (isAbsence(cause)) return undefined;
    throw new DatasetError(
      'DATASET_FOLDER_MISSING',
      `the dataset folder ${root} cannot be read (${cause.code})`,
      { cause },
    );
  });
  if (status === undefined || !status.isDirectory()) {
    throw new DatasetError(
      'DATASET_FOLDER_MISSING',
      status !== undefined
        ? `the dataset folder ${root} is not a folder: pass the folder of a dataset of docs/datasets.md`
        : `the dataset folder ${root} does not exist: make a synthetic one with "${shellLine(['npx', 'fcaenet', 'dataset', 'make', root])}", or unpack CUB-200-2011 (https://www.vision.caltech.edu/datasets/cub_200_2011/) or another dataset of docs/datasets.md and pass its folder`,
    );
  }
}
