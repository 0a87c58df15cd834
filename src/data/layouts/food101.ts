import { malformed, readClassNames, readLines } from './lines.js';
import {
  type DatasetLayout,
  type DatasetListing,
  numberClasses,
  readSplits,
  requireSafePath,
} from './listing.js';

const classList = 'meta/classes.txt';
const splitLists = { train: 'meta/train.txt', test: 'meta/test.txt' } as const;

/**
 * Reads Food-101. `meta/classes.txt` has one name per line, in the order of the labels. `meta/train.txt` and
 * `meta/test.txt` have lines `<class>/<image id>` without the `.jpg` of the files in `images/`.
 * @throws DatasetError for a missing list and for every malformed, unsafe, unknown or duplicate line
 */
async function readFood101(root: string): Promise<DatasetListing> {
  const classes = await readClassNames(root, classList, 'class');
  const images = await readSplits(root, async (split) =>
    (await readLines(root, splitLists[split])).map(({ text, place }) => {
      requireSafePath(root, text, place);
      const slash = text.indexOf('/');
      if (slash < 0) throw malformed(root, place, text, '"<class>/<image id>"');
      return { path: `${text}.jpg`, classId: classes.numberOf(text.slice(0, slash), place), split, place };
    }),
  );
  return {
    format: 'food101',
    imagesFolder: 'images',
    splitList: splitLists,
    ...numberClasses(images, (number) => classes.names[number]!),
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
