import { quote } from '../../errors.js';
import { DatasetError } from '../error.js';
import { malformed, type RawLine, readLines } from './lines.js';
import {
  type ClassedImage,
  type DatasetListing,
  numberClasses,
  refuseDoubledImages,
  refuseUnsafePath,
} from './listing.js';

const splitLists = { train: 'vegfru_list/vegfru_train.txt', test: 'vegfru_list/vegfru_test.txt' } as const;
export const vegfruImageFolders = ['veg200_images', 'fru92_images'] as const;

/**
 * Reads VegFru by its whole lists, `vegfru_list/vegfru_train.txt` and `vegfru_test.txt`, whose lines are
 * `<path> <label>`, the path from the dataset's folder: `veg200_images/<class>/<file>` or `fru92_images/<class>/<file>`.
 * The validation split is left aside, and so are the lists of the two parts (`veg200_lists/`, `fru92_lists/`), whose
 * labels both begin at 0 and whose paths lack the folder.
 *
 * @throws DatasetError for a list that is missing, for every line that is malformed, unsafe or doubled, and where a
 * label has two folders or a folder two labels
 */
export async function readVegFru(root: string): Promise<DatasetListing> {
  const read = async (split: 'train' | 'test') =>
    (await readLines(root, splitLists[split])).map((line) => imageOf(root, line, split));
  const images = [...(await read('train')), ...(await read('test'))];
  refuseDoubledImages(root, images);
  const folders = refuseMixedClasses(root, images);
  return {
    format: 'vegfru',
    imagesFolder: '',
    splitList: splitLists,
    // The two parts share no class, so the folder's own name says enough.
    ...numberClasses(images, (label) => folders.get(label)!.split('/')[1]!),
  };
}

function imageOf(root: string, { text, place }: RawLine, split: 'train' | 'test'): ClassedImage {
  // At the last space: a label holds none, a path might.
  const space = text.lastIndexOf(' ');
  const path = text.slice(0, Math.max(0, space)).trim();
  const label = text.slice(space + 1);
  if (path === '' || !/^(0|[1-9][0-9]{0,8})$/.test(label)) {
    throw malformed(root, place, text, '"<path> <label>"');
  }
  refuseUnsafePath(root, path, place);
  const parts = path.split('/');
  if (parts.length !== 3 || !vegfruImageFolders.some((folder) => folder === parts[0])) {
    throw new DatasetError(
      'DATASET_LINE_MALFORMED',
      `${place} of ${root} has the path ${quote(path)} where ${vegfruImageFolders.join('/<class>/<file> or ')}/<class>/<file> was expected, as in the lists of the whole dataset`,
    );
  }
  return { path, classId: Number(label), split, place };
}

/** The lists of one part would give two classes one label. */
function refuseMixedClasses(root: string, images: readonly ClassedImage[]): Map<number, string> {
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
