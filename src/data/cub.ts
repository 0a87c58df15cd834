import { DatasetError } from './error.js';
import { type ListLine, readList } from './lines.js';

/** What the lists of a dataset say, before any image is looked at; images stand in the order of `images.txt`. */
export interface DatasetListing {
  classNames: string[];
  images: { path: string; label: number; split: 'train' | 'test'; place: string }[];
}

/** The list whose presence tells the layout. */
export const cubImageList = 'images.txt';

/**
 * Reads the lists of the CUB-200-2011 layout: `images.txt`, `image_class_labels.txt`, `train_test_split.txt`
 * (1 = train) and `classes.txt`, joined on the image id. Labels number the classes that have images from 0 in the
 * order of their ids, so ids need not be contiguous.
 *
 * @throws DatasetError for a list that is missing and for every line that is malformed, unsafe, unknown or doubled
 */
export async function readCubListing(root: string): Promise<DatasetListing> {
  const [images, imageClasses, imageSplits, classes] = await Promise.all([
    readList(root, cubImageList, 'path'),
    readList(root, 'image_class_labels.txt', 'class id'),
    readList(root, 'train_test_split.txt', '1 for train, 0 for test'),
    readList(root, 'classes.txt', 'class name'),
  ]);
  refuseUnknownImages(root, imageClasses, images);
  refuseUnknownImages(root, imageSplits, images);

  const classOfImage = new Map<string, number>();
  for (const line of imageClasses.values()) classOfImage.set(line.key, classId(root, line, classes));
  const usedClasses = [...new Set(classOfImage.values())].sort((left, right) => left - right);
  const labelOfClass = new Map(usedClasses.map((id, label) => [id, label]));

  const placeOfPath = new Map<string, string>();
  const listed = [...images.values()].map((line) => {
    refuseUnsafePath(root, line);
    const earlier = placeOfPath.get(line.value);
    if (earlier !== undefined) {
      throw new DatasetError(
        'DATASET_ENTRY_DUPLICATE',
        `${line.place} of ${root} names the image ${line.value} a second time (first: ${earlier})`,
      );
    }
    placeOfPath.set(line.value, line.place);
    const classLine = lineOfImage(root, line, imageClasses, 'image_class_labels.txt');
    const splitLine = lineOfImage(root, line, imageSplits, 'train_test_split.txt');
    const label = labelOfClass.get(classOfImage.get(classLine.key)!)!;
    return { path: line.value, label, split: splitName(root, splitLine), place: line.place };
  });
  return { classNames: usedClasses.map((id) => classes.get(String(id))!.value), images: listed };
}

function refuseUnknownImages(
  root: string,
  lines: Map<string, ListLine>,
  images: Map<string, ListLine>,
): void {
  for (const line of lines.values()) {
    if (!images.has(line.key)) {
      throw new DatasetError(
        'DATASET_ENTRY_UNKNOWN',
        `${line.place} of ${root} speaks of the image id ${line.key}, which ${cubImageList} does not have`,
      );
    }
  }
}

function lineOfImage(root: string, image: ListLine, lines: Map<string, ListLine>, file: string): ListLine {
  const line = lines.get(image.key);
  if (line === undefined) {
    throw new DatasetError(
      'DATASET_ENTRY_MISSING',
      `the image id ${image.key} (${image.place} of ${root}) has no line in ${file}`,
    );
  }
  return line;
}

function classId(root: string, line: ListLine, classes: Map<string, ListLine>): number {
  if (!/^(0|[1-9][0-9]{0,8})$/.test(line.value)) {
    throw new DatasetError(
      'DATASET_LINE_MALFORMED',
      `${line.place} of ${root} has the class id "${line.value}" where a whole number was expected`,
    );
  }
  if (!classes.has(line.value)) {
    throw new DatasetError(
      'DATASET_ENTRY_UNKNOWN',
      `${line.place} of ${root} has the class id ${line.value}, which classes.txt does not have`,
    );
  }
  return Number(line.value);
}

function splitName(root: string, line: ListLine): 'train' | 'test' {
  if (line.value === '1') return 'train';
  if (line.value === '0') return 'test';
  throw new DatasetError(
    'DATASET_LINE_MALFORMED',
    `${line.place} of ${root} has the split "${line.value}" where 1 (train) or 0 (test) was expected`,
  );
}

/** A list may come from anywhere: it must not reach outside the dataset's images folder on any system. */
function refuseUnsafePath(root: string, line: ListLine): void {
  const segments = line.value.split('/');
  const unsafe = segments.some((segment) => segment === '' || segment === '.' || segment === '..');
  if (unsafe || /[\\\0]/.test(line.value) || /^[A-Za-z]:/.test(line.value)) {
    throw new DatasetError(
      'DATASET_PATH_UNSAFE',
      `${line.place} of ${root} has the path "${line.value}" where a path below images/ without "..", backslashes or empty parts was expected`,
    );
  }
}
