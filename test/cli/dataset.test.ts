import { spawnSync } from 'node:child_process';
import { truncateSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { inspectDataset } from '../../src/commands/dataset-actions.js';
import { loadDataset } from '../../src/data/dataset.js';
import { jpegPicture } from '../data/pictures.js';
import { smallCub, writeCub } from '../data/support.js';
import { temporaryDirectory } from '../run/support.js';

function fcaenet(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [resolve('dist/cli.js'), ...args], {
    cwd: temporaryDirectory(),
    encoding: 'utf8',
  });
  const lines = stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { status, lines, stderr };
}

test('dataset make draws a dataset that dataset check finds whole', async () => {
  const root = join(temporaryDirectory(), 'small');
  const made = fcaenet(
    ...[
      'dataset',
      'make',
      root,
      '--species',
      '3',
      '--train',
      '4',
      '--test',
      '2',
      '--size',
      '32',
      '--seed',
      '7',
    ],
  );
  expect(made).toMatchObject({ status: 0, stderr: '' });
  const checked = fcaenet('dataset', 'check', root, '--deep');
  expect(checked).toMatchObject({ status: 0, stderr: '' });
  expect(checked.lines).toContainEqual(
    expect.objectContaining({ message: 'dataset', classes: 3, train: 12, test: 6 }),
  );
});

test('dataset make does not touch a folder that holds something', async () => {
  const root = temporaryDirectory();
  await writeCub(root, smallCub());
  const { status, stderr } = fcaenet('dataset', 'make', root);
  expect(status).toBe(73);
  expect(stderr).toMatch(/^fcaenet: [^\n]*\n$/);
  expect((await loadDataset(root)).train.paths).toHaveLength(6);
});

test('dataset check names damaged pictures and lone classes, then ends with the exit code of bad data', async () => {
  const root = temporaryDirectory();
  const picture = await jpegPicture(1);
  await writeCub(
    root,
    smallCub((id) => (id === 3 ? picture.subarray(0, 300) : picture)),
  );
  const { status, lines, stderr } = fcaenet('dataset', 'check', root, '--deep', '--subset');
  expect(stderr).toMatch(
    /^fcaenet: 1 of 8 images in [^\n]* cannot be decoded, [^\n]*002\.Auk\/b\.jpg[^\n]*\n$/,
  );
  expect(status).toBe(65);
  expect(lines).toContainEqual(
    expect.objectContaining({ message: 'dataset', loneClasses: ['009.Little Tern'] }),
  );
});

test('dataset check of a missing folder says how to get one', () => {
  const { status, stderr } = fcaenet('dataset', 'check', 'no/such/folder');
  expect(status).toBe(66);
  expect(stderr).toMatch(/^fcaenet: the dataset folder no\/such\/folder does not exist[^\n]*\n$/);
});

test('dataset check takes the fingerprint that it printed for the published counts, and refuses any other', async () => {
  const root = temporaryDirectory();
  await writeCub(root, smallCub());
  const { fingerprint } = await loadDataset(root);
  const same = fcaenet('dataset', 'check', root, '--fingerprint', fingerprint);
  expect(same).toMatchObject({ status: 0, stderr: '' });
  expect(same.lines).toContainEqual(expect.objectContaining({ message: 'dataset', fingerprint }));
  // As if a copy had ended early.
  truncateSync(join(root, 'images/002.Auk/b.jpg'), 1);
  const { status, lines, stderr } = fcaenet('dataset', 'check', root, '--fingerprint', fingerprint);
  const { fingerprint: found } = await loadDataset(root);
  expect(found).not.toBe(fingerprint);
  expect(stderr).toBe(
    `fcaenet: ${root} has the fingerprint ${found}, expected ${fingerprint}: its 6 train and 2 test images differ in number, content, classes or splits.\n`,
  );
  expect(status).toBe(65);
  expect(lines).toContainEqual(expect.objectContaining({ message: 'dataset', fingerprint: found }));
  const cache = temporaryDirectory();
  await expect(inspectDataset(root, { deep: false, subset: true, fingerprint, cache })).rejects.toMatchObject(
    {
      code: 'DATASET_FINGERPRINT_DIFFERENT',
    },
  );
});

test('dataset check of a part of a dataset asks for --subset, after the report', async () => {
  const root = temporaryDirectory();
  await writeCub(root, smallCub());
  const { status, lines, stderr } = fcaenet('dataset', 'check', root);
  expect(stderr).toMatch(
    /^fcaenet: [^\n]* has 3 classes, 6 train and 2 test images, but [^\n]*--subset[^\n]*\n$/,
  );
  expect(status).toBe(65);
  expect(lines).toContainEqual(expect.objectContaining({ message: 'dataset', format: 'cub', classes: 3 }));
  expect(fcaenet('dataset', 'check', root, '--subset')).toMatchObject({ status: 0, stderr: '' });
});

test('dataset check refuses a picture of 0 bytes without decoding', async () => {
  const root = temporaryDirectory();
  await writeCub(root, smallCub());
  truncateSync(join(root, 'images/009.Tern/a.jpg'), 0);
  const { status, stderr } = fcaenet('dataset', 'check', root, '--subset');
  expect(stderr).toBe(
    `fcaenet: the image ${root}/images/009.Tern/a.jpg, listed in images.txt, line 4, is empty, expected a picture.\n`,
  );
  expect(status).toBe(65);
});
