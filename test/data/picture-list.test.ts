import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { loadDataset } from '../../src/data/dataset.js';
import { pictureListOf, readPictureList } from '../../src/data/picture-list.js';
import { RunDirectory } from '../../src/run/run-directory.js';
import { failure } from '../kit/failure.js';
import { temporaryDirectory } from '../run/support.js';
import { smallCub, temporaryFolder, writeCub } from './support.js';

async function writtenList() {
  const root = await temporaryFolder();
  await writeCub(path.join(root, 'birds'), smallCub());
  const dataset = await loadDataset(path.join(root, 'birds'));
  const directory = RunDirectory.at(temporaryDirectory());
  directory.writePictures(pictureListOf(dataset, path.join(root, 'birds')));
  return { dataset, directory, list: readPictureList(directory)! };
}

test('the list names the picture and the class of every row', async () => {
  const { dataset, list } = await writtenList();
  expect(list).toEqual({
    format: 'fcaenet-pictures',
    formatVersion: 1,
    fingerprint: dataset.fingerprint,
    imagesFolder: 'images',
    classNames: ['002.Auk', '005.Wren', '009.Little Tern'],
    train: {
      paths: [
        '002.Auk/a.jpg',
        '005.Wren/a b.jpg',
        '009.Tern/a.jpg',
        '002.Auk/c.jpg',
        '002.Auk/d.jpg',
        '005.Wren/c.jpg',
      ],
      labels: [0, 1, 2, 0, 0, 1],
    },
    test: { paths: ['002.Auk/b.jpg', '005.Wren/b.jpg'], labels: [0, 1] },
  });
});

test('a run directory without a list', () => {
  expect(readPictureList(RunDirectory.at(temporaryDirectory()))).toBeNull();
});

test.each<[(list: { train: { paths: string[]; labels: number[] } }) => unknown, RegExp]>([
  [() => 7, /is damaged: Invalid input/],
  [() => ({}), /is damaged: its field format is wrong/],
  [({ train }) => train.labels.push(-1) && undefined, /its field train\.labels\.6 is wrong/],
  [({ train }) => train.labels.push(1) && undefined, /train has 6 paths and 7 labels, expected as many/],
  [({ train }) => train.labels.splice(0, 1, 3) && undefined, /train has the label 3, expected one below 3/],
])('a damaged list is refused with what is wrong: %#', async (damage, sentence) => {
  const { directory, list } = await writtenList();
  const copy = JSON.parse(JSON.stringify(list));
  writeFileSync(directory.picturesFile, JSON.stringify(damage(copy) ?? copy));
  expect(() => readPictureList(directory)).toThrow(failure('RUN_PICTURES_DAMAGED', sentence));
});

test('a list that is cut off is refused', async () => {
  const { directory } = await writtenList();
  writeFileSync(directory.picturesFile, '{"format":');
  expect(() => readPictureList(directory)).toThrow(
    failure('RUN_PICTURES_DAMAGED', /pictures\.json is damaged: it is not JSON; delete/),
  );
});

test('a folder of images outside the dataset is refused', async () => {
  const { directory, list } = await writtenList();
  directory.writePictures({ ...list, imagesFolder: '/etc' });
  expect(() => readPictureList(directory)).toThrow(
    failure('DATASET_PATH_UNSAFE', /^imagesFolder of .*pictures\.json has the path "\/etc"/),
  );
});

test('a path that leaves the dataset is refused', async () => {
  const { directory, list } = await writtenList();
  directory.writePictures({ ...list, test: { paths: ['../../secret.jpg'], labels: [0] } });
  expect(() => readPictureList(directory)).toThrow(
    failure(
      'DATASET_PATH_UNSAFE',
      /^test\.paths\.0 of .*pictures\.json has the path "\.\.\/\.\.\/secret\.jpg"/,
    ),
  );
});
