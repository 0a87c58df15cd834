import path from 'node:path';
import { disk } from '../../disk/disk.js';
import { isAbsence } from '../../run/presence.js';
import { DatasetError } from '../error.js';
import { layouts } from './layouts.js';
import type { DatasetLayout, DatasetListing } from './listing.js';

/** Folders of the lists inside an archive's own folder. */
const innerFolders = ['', 'data'] as const;

/**
 * Recognises the layout of a folder and reads its lists. The folder may also be the parent of FGVC-Aircraft's `data`.
 * @returns the folder that the listing is relative to, its layout, and the listing
 * @throws DatasetError DATASET_FORMAT_UNKNOWN, DATASET_LAYOUT_INCOMPLETE (naming what is missing), and the errors of
 * the layout's reader
 */
export async function readListing(
  folder: string,
): Promise<{ root: string; layout: DatasetLayout; listing: DatasetListing }> {
  const root = await listsFolder(folder);
  const [layout] = await layoutsOf(root);
  if (layout === undefined) throw await unknownFormat(folder);
  const missing = await missingOf(root, [...layout.signs, ...layout.others]);
  if (missing.length > 0) {
    throw new DatasetError(
      'DATASET_LAYOUT_INCOMPLETE',
      `the folder ${root} looks like ${layout.title}, but does not contain ${missing.join(', ')}`,
    );
  }
  return { root, layout, listing: await layout.read(root) };
}

async function listsFolder(folder: string): Promise<string> {
  for (const inner of innerFolders) {
    const root = path.join(folder, inner);
    if ((await layoutsOf(root)).length > 0) return root;
  }
  return folder;
}

/** The layouts of which the folder has at least one sign, the best match first. */
async function layoutsOf(root: string): Promise<DatasetLayout[]> {
  const found = await Promise.all(
    layouts.map(async (layout) => {
      const missing = await missingOf(root, layout.signs);
      return { layout, share: 1 - missing.length / layout.signs.length };
    }),
  );
  return found
    .filter(({ share }) => share > 0)
    .sort((left, right) => right.share - left.share)
    .map(({ layout }) => layout);
}

/** A name that ends in a slash is a folder. Any other name is anything but a folder. */
async function missingOf(root: string, names: readonly string[]): Promise<string[]> {
  const missing = await Promise.all(
    names.map(async (name) => {
      const file = path.join(root, name);
      const status = await disk.stat(file).catch((cause: NodeJS.ErrnoException) => {
        if (isAbsence(cause)) return undefined;
        throw new DatasetError('DATASET_LIST_UNREADABLE', `${file} cannot be read (${cause.code})`, {
          cause,
        });
      });
      return status?.isDirectory() === name.endsWith('/') ? undefined : name;
    }),
  );
  return missing.filter((name) => name !== undefined);
}

async function unknownFormat(folder: string): Promise<DatasetError> {
  const inner = await datasetInside(folder);
  const known = layouts.map(({ title, signs }) => `${signs[0]} (${title})`).join(', ');
  return new DatasetError(
    'DATASET_FORMAT_UNKNOWN',
    inner === undefined
      ? `the folder ${folder} has no known dataset layout: it contains none of ${known}; docs/datasets.md, "Your own images", shows how to make the lists of own images`
      : `the folder ${folder} is not a dataset, but ${path.join(folder, inner)} looks like one: pass that folder`,
  );
}

/** An archive unpacked into a user's folder leaves its own folder inside. */
async function datasetInside(folder: string): Promise<string | undefined> {
  const entries = await disk.entries(folder).catch((cause: NodeJS.ErrnoException) => {
    throw new DatasetError('DATASET_LIST_UNREADABLE', `the folder ${folder} cannot be read (${cause.code})`, {
      cause,
    });
  });
  for (const { name } of entries.filter((entry) => entry.isDirectory())) {
    try {
      const root = await listsFolder(path.join(folder, name));
      if ((await layoutsOf(root)).length > 0) return name;
    } catch {
      // Unreadable folders such as lost+found are skipped.
    }
  }
  return undefined;
}
