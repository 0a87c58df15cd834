import { quote } from '../../errors.js';
import { DatasetError } from '../error.js';
import { malformed, readClassNames, readLines } from './lines.js';
import {
  type DatasetLayout,
  type DatasetListing,
  numberClasses,
  requireSafePath,
  requireUniqueImages,
} from './listing.js';

const classList = 'meta/classes.txt';
const splitLists = { train: 'meta/train.txt', test: 'meta/test.txt' } as const;

/**
 * Reads Food-101. `meta/classes.txt` has one name per line, in the order of the labels. `meta/train.txt` and
 * `meta/test.txt` have lines `<class>/<image id>` without the `.jpg` of the files in `images/`.
 * @throws DatasetError for a missing list and for every malformed, unsafe, unknown or duplicate line
 */
async function readFood101(root: string): Promise<DatasetListing> {
  const classes = await readClassNames(root, classList);
  const read = async (split: 'train' | 'test') =>
    (await readLines(root, splitLists[split])).map(({ text, place }) => {
      requireSafePath(root, text, place);
      const slash = text.indexOf('/');
      if (slash < 0) throw malformed(root, place, text, '"<class>/<image id>"');
      const name = text.slice(0, slash);
      const classId = classes.get(name);
      if (classId === undefined) {
        throw new DatasetError(
          'DATASET_ENTRY_UNKNOWN',
          `${place} of ${root} names the class ${quote(name)}, which ${classList} does not contain`,
        );
      }
      return { path: `${text}.jpg`, classId, split, place };
    });
  const images = [...(await read('train')), ...(await read('test'))];
  requireUniqueImages(root, images);
  const names = [...classes.keys()];
  return {
    format: 'food101',
    imagesFolder: 'images',
    splitList: splitLists,
    ...numberClasses(images, (number) => names[number]!),
  };
}

export const food101 = {
  title: 'Food-101',
  signs: [classList, splitLists.train, splitLists.test],
  others: ['images/'],
  official: { food101: { title: 'Food-101', classes: 101, train: 75_750, test: 25_250 } },
  truncatedPictures: 'reject',
  read: readFood101,
} as const satisfies DatasetLayout;
