import { quote } from '../../errors.js';
import { DatasetError } from '../error.js';
import { malformed, type RawLine, readLines } from './lines.js';
import {
  type ClassedImage,
  type DatasetLayout,
  type DatasetListing,
  numberClasses,
  readSplits,
  requireSafePath,
} from './listing.js';

const splitLists = { train: 'vegfru_list/vegfru_train.txt', test: 'vegfru_list/vegfru_test.txt' } as const;
const imageFolders = ['veg200_images', 'fru92_images'] as const;

/**
 * Reads VegFru from the lists of the whole dataset, `vegfru_list/vegfru_train.txt` and `vegfru_test.txt`. Their lines
 * are `<path> <label>`, with the path relative to the dataset's folder: `veg200_images/<class>/<file>` or
 * `fru92_images/<class>/<file>`. The validation split is not used. The lists of the two parts (`veg200_lists/`,
 * `fru92_lists/`) are not used either: labels of both start at 0, and their paths lack the folder.
 * @throws DatasetError for a missing list, for every malformed, unsafe or duplicate line, and when a label has two
 * folders or a folder has two labels
 */
async function readVegFru(root: string): Promise<DatasetListing> {
  const images = await readSplits(root, async (split) =>
    (await readLines(root, splitLists[split])).map((line) => imageOf(root, line, split)),
  );
  const folders = requireOneFolderPerClass(root, images);
  return {
    format: 'vegfru',
    imagesFolder: '',
    splitList: splitLists,
    // The two parts share no class, so the folder's own name is unique.
    ...numberClasses(images, (label) => folders.get(label)!.split('/')[1]!),
  };
}

function imageOf(root: string, { text, place }: RawLine, split: 'train' | 'test'): ClassedImage {
  // At the last space: a label contains no space, a path may.
  const space = text.lastIndexOf(' ');
  const path = text.slice(0, Math.max(0, space)).trim();
  const label = text.slice(space + 1);
  if (path === '' || !/^(0|[1-9][0-9]{0,8})$/.test(label)) {
    throw malformed(root, place, text, '"<path> <label>"');
  }
  requireSafePath(root, path, place);
  const parts = path.split('/');
  if (parts.length !== 3 || !imageFolders.some((folder) => folder === parts[0])) {
    throw new DatasetError(
      'DATASET_LINE_MALFORMED',
      `${place} of ${root} has the path ${quote(path)}, expected ${imageFolders.join('/<class>/<file> or ')}/<class>/<file>, as in the lists of the whole dataset`,
    );
  }
  return { path, classId: Number(label), split, place };
}

/** The lists of one part would give two classes the same label. */
function requireOneFolderPerClass(root: string, images: readonly ClassedImage[]): Map<number, string> {
  const folderOf = new Map<number, string>();
  const labelOf = new Map<string, number>();
  for (const { path, classId, place } of images) {
    const folder = path.slice(0, path.lastIndexOf('/'));
    const expectedFolder = folderOf.get(classId) ?? folder;
    const expectedLabel = labelOf.get(folder) ?? classId;
    if (expectedFolder !== folder || expectedLabel !== classId) {
      throw new DatasetError(
        'DATASET_ENTRY_DUPLICATE',
        expectedFolder === folder
          ? `${place} of ${root} gives the folder ${quote(folder)} the label ${classId}, which had ${expectedLabel} before`
          : `${place} of ${root} gives the label ${classId} to the folder ${quote(folder)}, but ${quote(expectedFolder)} has it`,
      );
    }
    folderOf.set(classId, folder);
    labelOf.set(folder, classId);
  }
  return folderOf;
}

export const vegfru = {
  title: 'VegFru',
  signs: [splitLists.train, splitLists.test, ...imageFolders.map((folder) => `${folder}/`)],
  others: [],
  official: { vegfru: { title: 'VegFru', classes: 292, train: 29_200, test: 116_931 } },
  truncatedPictures: 'fill',
  read: readVegFru,
} as const satisfies DatasetLayout;
