import { mkdir, symlink } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { loadDataset } from '../../src/data/dataset.js';
import { makeSyntheticDataset } from '../../src/data/synthetic/make.js';
import { defaultSyntheticSettings } from '../../src/data/synthetic/settings.js';
import { failure } from '../kit/failure.js';
import { temporaryFolder } from './support.js';

/** A path that leads to itself: not even root can follow it. */
async function linkInCircle(...parts: string[]): Promise<string> {
  const link = path.join(await temporaryFolder(), ...parts);
  await mkdir(path.dirname(link), { recursive: true });
  await symlink(path.basename(link), link);
  return link;
}

test('a dataset folder that cannot be looked at is not said to be absent', async () => {
  const folder = await linkInCircle('birds');
  await expect(loadDataset(folder)).rejects.toThrow(
    failure('DATASET_FOLDER_MISSING', `the dataset folder ${folder} cannot be read (ELOOP)`),
  );
});

test('a list that cannot be looked at is not said to be missing', async () => {
  const list = await linkInCircle('birds', 'images.txt');
  await expect(loadDataset(path.dirname(list))).rejects.toThrow(
    failure('DATASET_LIST_UNREADABLE', `${list} cannot be read (ELOOP)`),
  );
});

test('a folder of others inside one that is no dataset does not hide what the folder is', async () => {
  const link = await linkInCircle('birds', 'lost+found', 'images.txt');
  const folder = path.dirname(path.dirname(link));
  await expect(loadDataset(folder)).rejects.toThrow(
    failure('DATASET_FORMAT_UNKNOWN', `the folder ${folder} has no known dataset layout`),
  );
});

test('a synthetic dataset is not made where it cannot be told what is there', async () => {
  const stamp = await linkInCircle('birds', 'synthetic.json');
  await expect(makeSyntheticDataset(path.dirname(stamp), defaultSyntheticSettings)).rejects.toThrow(
    failure('DATASET_FOLDER_OCCUPIED', `${stamp} cannot be read (ELOOP)`),
  );
});
