import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** Files of a dataset by path, free to be damaged before they are written. */
export type DatasetFiles = Record<string, string | Uint8Array>;

export async function writeFiles(root: string, files: DatasetFiles): Promise<void> {
  for (const [file, content] of Object.entries(files)) {
    const target = path.join(root, file);
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, content);
  }
}

const lines = (texts: readonly string[]) => texts.map((text) => `${text}\n`).join('');
type Content = (place: number) => Uint8Array;
const byPlace: Content = (place) => new Uint8Array(place + 1);

/** Three leaves of a hierarchy, with ids far apart and names with spaces; ids of images are UUIDs. */
export function smallNABirds(content: Content = byPlace): DatasetFiles {
  const images = [
    { id: '00000000-21dc-4d0c-bfe1-4cae3c85c829', classId: 817, train: 1 },
    { id: '0000d9fc-4e02-4c06-a0af-a55cfb16b12b', classId: 295, train: 1 },
    { id: '00019306-9d83-4334-b255-a447742edce3', classId: 1010, train: 1 },
    { id: '0001afd4-99a1-4a67-b940-d419413e23b3', classId: 817, train: 0 },
    { id: '000332b8-997c-4540-9647-2f0a8495aecf', classId: 1010, train: 1 },
    { id: '000343bd-5215-49ba-ab9c-7c97a70ac1a5', classId: 295, train: 0 },
  ].map((image) => ({
    ...image,
    file: `${String(image.classId).padStart(4, '0')}/${image.id.replaceAll('-', '')}.jpg`,
  }));
  return {
    'images.txt': lines(images.map(({ id, file }) => `${id} ${file}`)),
    'image_class_labels.txt': lines(images.map(({ id, classId }) => `${id} ${classId}`)),
    'train_test_split.txt': lines(images.map(({ id, train }) => `${id} ${train}`)),
    'classes.txt': lines([
      '0 Birds',
      '1 Ducks, Geese, and Swans',
      '295 Common Eider (Adult male)',
      '817 Oak Titmouse',
      '1010 Dark-eyed Junco (White-winged)',
    ]),
    'hierarchy.txt': lines(['1 0', '295 1', '817 0', '1010 0']),
    ...Object.fromEntries(images.map(({ file }, place) => [`images/${file}`, content(place)])),
  };
}

/** Three variants whose names hold spaces, a slash and a dash, in the order that makes the labels. */
export function smallAircraft(content: Content = byPlace): DatasetFiles {
  const train = ['0056978 Spitfire', '1025794 F/A-18', '0900914 DC-9-30 Super', '2236959 F/A-18'];
  const test = ['1514522 F/A-18', '0747566 DC-9-30 Super'];
  const images = [...train, ...test].map((line) => `images/${line.split(' ')[0]}.jpg`);
  return {
    'variants.txt': lines(['DC-9-30 Super', 'F/A-18', 'Spitfire']),
    'images_variant_train.txt': lines(train.slice(0, 2)),
    'images_variant_val.txt': lines(train.slice(2)),
    'images_variant_trainval.txt': lines(train),
    'images_variant_test.txt': lines(test),
    ...Object.fromEntries(images.map((file, place) => [file, content(place)])),
  };
}

/** Two vegetables and a fruit. The lists of the parts are there as well, with labels of their own. */
export function smallVegFru(content: Content = byPlace): DatasetFiles {
  const train = [
    'veg200_images/Chinese_cabbage/v_01_01_0001.jpg 0',
    'fru92_images/apple/f_01_01_0001.jpg 200',
    'veg200_images/leek/v_01_02_0001.jpg 1',
    'fru92_images/apple/f_01_01_0002.jpg 200',
  ];
  const test = ['veg200_images/leek/v_01_02_0900.jpg 1', 'fru92_images/apple/f_01_01_0900.jpg 200'];
  const images = [...train, ...test].map((line) => line.split(' ')[0]!);
  return {
    'vegfru_list/vegfru_train.txt': lines(train),
    'vegfru_list/vegfru_val.txt': lines(['veg200_images/leek/v_01_02_0500.jpg 1']),
    'vegfru_list/vegfru_test.txt': lines(test),
    'veg200_lists/veg_train.txt': lines(['Chinese_cabbage/v_01_01_0001.jpg 0', 'leek/v_01_02_0001.jpg 1']),
    'fru92_lists/fru_train.txt': lines(['apple/f_01_01_0001.jpg 0', 'apple/f_01_01_0002.jpg 0']),
    ...Object.fromEntries(images.map((file, place) => [file, content(place)])),
  };
}

/** Two dishes; the lists leave the ending of the files out. */
export function smallFood101(content: Content = byPlace): DatasetFiles {
  const train = ['apple_pie/1005649', 'waffles/1009873', 'apple_pie/1014775'];
  const test = ['waffles/1000372', 'apple_pie/1011328'];
  return {
    'meta/classes.txt': lines(['apple_pie', 'waffles']),
    'meta/labels.txt': lines(['Apple pie', 'Waffles']),
    'meta/train.txt': lines(train),
    'meta/test.txt': lines(test),
    ...Object.fromEntries([...train, ...test].map((name, place) => [`images/${name}.jpg`, content(place)])),
  };
}
