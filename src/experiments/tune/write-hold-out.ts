import { readlinkSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ListedDataset } from '../../data/dataset.js';
import { makeFolderSync } from '../../disk/folders.js';
import { ExitCode } from '../../errors.js';
import { writeFileAtomic } from '../../run/atomic-file.js';
import { undefinedIfAbsent } from '../../run/presence.js';
import { ExperimentError } from '../error.js';

/** An image of the train split, and whether it is held out. */
interface HoldOutImage {
  readonly path: string;
  readonly label: number;
  readonly isHeld: boolean;
}

/**
 * Writes a dataset whose train split is the part of a train split that is not held out, and whose test split is the
 * held-out part. It has lists and links to the folders of images; images of the test split are in no list. VegFru keeps
 * its layout, because its truncated images are treated in their own way; others get the lists of CUB-200-2011.
 * @param held whether each image of the train split is held out
 * @throws ExperimentError EXPERIMENT_HOLD_OUT_COPIED where something else is in the place of a link
 */
export function writeHoldOut(folder: string, dataset: ListedDataset, held: readonly boolean[]): void {
  const images = dataset.train.paths.map((path, image) => ({
    path,
    label: dataset.train.labels[image]!,
    isHeld: held[image]!,
  }));
  const isVegFru = dataset.format === 'vegfru';
  const lists = isVegFru ? vegFruLists(images) : joinedLists(images, dataset.classNames);
  for (const [name, lines] of Object.entries(lists)) {
    const file = join(folder, name);
    makeFolderSync(dirname(file));
    writeFileAtomic(file, lines.map((line) => `${line}\n`).join(''));
  }
  const root = realpathSync(dataset.imagesRoot);
  for (const name of isVegFru ? ['veg200_images', 'fru92_images'] : ['images']) {
    link(join(folder, name), isVegFru ? join(root, name) : root);
  }
}

function joinedLists(images: readonly HoldOutImage[], classNames: readonly string[]): Lists {
  return {
    'images.txt': images.map(({ path }, image) => `${image + 1} ${path}`),
    'image_class_labels.txt': images.map(({ label }, image) => `${image + 1} ${label + 1}`),
    'train_test_split.txt': images.map(({ isHeld }, image) => `${image + 1} ${isHeld ? 0 : 1}`),
    'classes.txt': classNames.map((name, label) => `${label + 1} ${name}`),
  };
}

function vegFruLists(images: readonly HoldOutImage[]): Lists {
  const list = (wanted: boolean) =>
    images.filter(({ isHeld }) => isHeld === wanted).map(({ path, label }) => `${path} ${label}`);
  return { 'vegfru_list/vegfru_train.txt': list(false), 'vegfru_list/vegfru_test.txt': list(true) };
}

type Lists = Readonly<Record<string, readonly string[]>>;

/** A link to a folder, which may have moved since it was made. */
function link(path: string, target: string): void {
  const found = linkedTo(path);
  if (found === target) return;
  if (found !== undefined) rmSync(path);
  symlinkSync(target, path);
}

function linkedTo(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') return undefinedIfAbsent(error);
    // The images themselves would be read, whatever the dataset has become.
    throw new ExperimentError(
      'EXPERIMENT_HOLD_OUT_COPIED',
      `${path} is no link, but must be one to the images of the dataset: a copy of the folder may have followed it; delete it, and the same command makes the link again`,
      ExitCode.cannotCreate,
      { cause: error },
    );
  }
}
