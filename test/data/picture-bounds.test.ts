import sharp from 'sharp';
import { expect, test } from 'vitest';
import { requireModestPicture } from '../../src/data/picture-bounds.js';
import { failure } from '../kit/failure.js';
import { pngBomb } from './png-bomb.js';

const small = sharp({ create: { width: 20, height: 10, channels: 3, background: '#808080' } });

test.each(['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif'] as const)(
  'a %s within the bound is accepted',
  async (format) => {
    const bytes = await small.clone().toFormat(format).toBuffer();
    await expect(requireModestPicture(bytes, 'x', 200)).resolves.toBeUndefined();
    await expect(requireModestPicture(bytes, 'x', 199)).rejects.toEqual(
      failure('DATASET_IMAGE_TOO_LARGE', 'the image x has 20 × 10 pixels, expected at most 199 pixels'),
    );
  },
);

test('a decompression bomb is refused from its head', async () => {
  const bytes = pngBomb(60_000);
  expect(bytes.length).toBeLessThan(2000);
  await expect(requireModestPicture(bytes, 'x', 50_000_000)).rejects.toEqual(
    failure(
      'DATASET_IMAGE_TOO_LARGE',
      'the image x has 60000 × 60000 pixels, expected at most 50000000 pixels',
    ),
  );
});

test.each([
  ['an SVG', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')],
  ['a text', Buffer.from('hello')],
  ['nothing', Buffer.alloc(0)],
])('%s is no picture', async (_, bytes) => {
  await expect(requireModestPicture(bytes, 'x', 100)).rejects.toEqual(
    failure(
      'DATASET_IMAGE_DAMAGED',
      /cannot be decoded \(it is no picture, expected one of JPEG, PNG, WebP, GIF, TIFF, AVIF\)$/,
    ),
  );
});

test('a head that is cut off', async () => {
  const bytes = (await small.clone().png().toBuffer()).subarray(0, 20);
  await expect(requireModestPicture(bytes, 'x', 1000)).rejects.toEqual(
    failure('DATASET_IMAGE_DAMAGED', /^the image x \(20 bytes\) cannot be decoded/),
  );
});
