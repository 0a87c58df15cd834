import { readClassNames, readList } from './lines.js';
import {
  type DatasetLayout,
  type DatasetListing,
  numberClasses,
  readSplits,
  requireSafePath,
} from './listing.js';

const classList = 'variants.txt';
const splitLists = { train: 'images_variant_trainval.txt', test: 'images_variant_test.txt' } as const;

/**
 * Reads the variants of FGVC-Aircraft 2013b. `variants.txt` has one name per line, in the order of the labels. The
 * lists of the splits have lines `<image id> <variant>`, where a variant may contain spaces, slashes and dashes. Images
 * are `images/<image id>.jpg`. Train is the official trainval.
 * @param root the archive's folder `data`
 * @throws DatasetError for a missing list and for every malformed, unsafe, unknown or duplicate line
 */
async function readAircraft(root: string): Promise<DatasetListing> {
  const variants = await readClassNames(root, classList, 'variant');
  const images = await readSplits(root, async (split) => {
    const lines = await readList(root, splitLists[split], 'variant');
    return [...lines.values()].map(({ key, value, place }) => {
      requireSafePath(root, key, place);
      return { path: `${key}.jpg`, classId: variants.numberOf(value, place), split, place };
    });
  });
  return {
    format: 'aircraft',
    imagesFolder: 'images',
    splitList: splitLists,
    ...numberClasses(images, (variant) => variants.names[variant]!),
  };
}

export const aircraft = {
  title: 'FGVC-Aircraft 2013b',
  signs: [classList, splitLists.train, splitLists.test],
  others: ['images/'],
  official: { aircraft: { title: 'FGVC-Aircraft 2013b', classes: 100, train: 6_667, test: 3_333 } },
  truncatedPictures: 'reject',
  read: readAircraft,
} as const satisfies DatasetLayout;
