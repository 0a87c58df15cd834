import { beforeAll, describe, expect, test } from 'vitest';
import { checkDataset } from '../../src/data/check.js';
import { loadDataset } from '../../src/data/dataset.js';
import { jpegPicture } from './pictures.js';
import { smallCub, temporaryFolder, writeCub } from './support.js';

let picture: Buffer;
beforeAll(async () => {
  picture = await jpegPicture(1);
});

describe('checkDataset', () => {
  test('counts images and classes and names the classes of one image', async () => {
    const root = await temporaryFolder();
    await writeCub(root, smallCub());
    expect(await checkDataset(root, { deep: false })).toEqual({
      format: 'cub',
      classes: 3,
      train: 6,
      test: 2,
      fingerprint: (await loadDataset(root)).fingerprint,
      smallestClass: { name: '009.Little Tern', images: 1 },
      largestClass: { name: '002.Auk', images: 3 },
      loneClasses: ['009.Little Tern'],
      damagedImages: undefined,
    });
  });

  test('decodes every image when asked to and lists the damaged ones', async () => {
    const root = await temporaryFolder();
    await writeCub(
      root,
      smallCub((id) => (id === 3 || id === 8 ? picture.subarray(0, 300) : picture)),
    );
    const progress: number[] = [];
    const { damagedImages } = await checkDataset(root, {
      deep: true,
      onProgress: (done) => progress.push(done),
    });
    expect(damagedImages).toHaveLength(2);
    expect(damagedImages![0]).toContain('002.Auk/b.jpg');
    expect(damagedImages![1]).toContain('005.Wren/c.jpg');
    expect(progress).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });
});
