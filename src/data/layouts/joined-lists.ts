import { quote } from '../../errors.js';
import { DatasetError } from '../error.js';
import { type ListLine, readList } from './lines.js';
import {
  type DatasetLayout,
  type DatasetListing,
  numberClasses,
  requireSafePath,
  requireUniqueImages,
} from './listing.js';

const imageList = 'images.txt';
const splitList = 'train_test_split.txt';
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Reads the lists that CUB-200-2011 and NABirds share: `images.txt`, `image_class_labels.txt`, `train_test_split.txt`
 * (1 = train) and `classes.txt`, joined on the image id. NABirds, whose image ids are UUIDs, lists in `classes.txt` all
 * 1,011 nodes of its hierarchy and uses 555 of them, from 295 to 1,010.
 * @throws DatasetError for a missing list and for every malformed, unsafe, unknown or duplicate line
 */
async function readJoinedLists(root: string): Promise<DatasetListing> {
  const [images, imageClasses, imageSplits, classes] = await Promise.all([
    readList(root, imageList, 'path'),
    readList(root, 'image_class_labels.txt', 'class id'),
    readList(root, splitList, '1 for train, 0 for test'),
    readList(root, 'classes.txt', 'class name'),
  ]);
  requireKnownImages(root, imageClasses, images);
  requireKnownImages(root, imageSplits, images);
  const listed = [...images.values()].map((line) => {
    requireSafePath(root, line.value, line.place);
    const classLine = lineOfImage(root, line, imageClasses, 'image_class_labels.txt');
    const splitLine = lineOfImage(root, line, imageSplits, splitList);
    return {
      path: line.value,
      classId: classId(root, classLine, classes),
      split: splitName(root, splitLine),
      place: line.place,
    };
  });
  requireUniqueImages(root, listed);
  const [firstId] = images.keys();
  return {
    format: firstId !== undefined && uuid.test(firstId) ? 'nabirds' : 'cub',
    imagesFolder: 'images',
    splitList: { train: splitList, test: splitList },
    ...numberClasses(listed, (id) => classes.get(String(id))!.value),
  };
}

function requireKnownImages(root: string, lines: Map<string, ListLine>, images: Map<string, ListLine>): void {
  for (const line of lines.values()) {
    if (!images.has(line.key)) {
      throw new DatasetError(
        'DATASET_ENTRY_UNKNOWN',
        `${line.place} of ${root} names the image id ${quote(line.key)}, which ${imageList} does not contain`,
      );
    }
  }
}

function lineOfImage(root: string, image: ListLine, lines: Map<string, ListLine>, file: string): ListLine {
  const line = lines.get(image.key);
  if (line === undefined) {
    throw new DatasetError(
      'DATASET_ENTRY_MISSING',
      `the image id ${quote(image.key)} (${image.place} of ${root}) has no line in ${file}`,
    );
  }
  return line;
}

function classId(root: string, line: ListLine, classes: Map<string, ListLine>): number {
  if (!/^(0|[1-9][0-9]{0,8})$/.test(line.value)) {
    throw new DatasetError(
      'DATASET_LINE_MALFORMED',
      `${line.place} of ${root} has the class id ${quote(line.value)}, expected a whole number`,
    );
  }
  if (!classes.has(line.value)) {
    throw new DatasetError(
      'DATASET_ENTRY_UNKNOWN',
      `${line.place} of ${root} has the class id ${line.value}, which classes.txt does not contain`,
    );
  }
  return Number(line.value);
}

function splitName(root: string, line: ListLine): 'train' | 'test' {
  if (line.value === '1') return 'train';
  if (line.value === '0') return 'test';
  throw new DatasetError(
    'DATASET_LINE_MALFORMED',
    `${line.place} of ${root} has the split ${quote(line.value)}, expected 1 (train) or 0 (test)`,
  );
}

export const joinedLists = {
  title: 'CUB-200-2011 or NABirds',
  signs: [imageList, 'image_class_labels.txt', splitList, 'classes.txt'],
  others: ['images/'],
  official: {
    cub: { title: 'CUB-200-2011', classes: 200, train: 5_994, test: 5_794 },
    nabirds: { title: 'NABirds', classes: 555, train: 23_929, test: 24_633 },
  },
  truncatedPictures: 'reject',
  read: readJoinedLists,
} as const satisfies DatasetLayout;
