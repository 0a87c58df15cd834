import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { decodeImage, decodePixels } from '../../src/data/pixels.js';
import { failure } from '../kit/failure.js';
import { jpegPicture } from './pictures.js';
import { pngBomb } from './png-bomb.js';
import { temporaryFolder } from './support.js';

async function decoded(name: string, content: Uint8Array, size: number): Promise<number[]> {
  const file = path.join(await temporaryFolder(), name);
  await writeFile(file, content);
  return [...(await decodeImage(file, size))];
}

const flat = (channels: 1 | 2 | 3 | 4, pixel: number[], width: number, height: number) =>
  sharp(Buffer.from(Array.from({ length: width * height }, () => pixel).flat()), {
    raw: { width, height, channels },
  });

/** Reduces the rows of a picture `side` wide from `side` to `size` values and turns it, so that two calls do both axes. */
function triangleResize(picture: number[], side: number, size: number): number[] {
  const scale = side / size;
  const height = picture.length / side;
  const turned = new Array<number>(size * height);
  for (let target = 0; target < size; target += 1) {
    const centre = (target + 0.5) * scale;
    const weights = Array.from({ length: side }, (_, x) =>
      Math.max(0, 1 - Math.abs(x + 0.5 - centre) / scale),
    );
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    for (let y = 0; y < height; y += 1) {
      const sum = weights.reduce((partial, weight, x) => partial + weight * picture[y * side + x]!, 0);
      turned[target * height + y] = sum / total;
    }
  }
  return turned;
}

describe('decodeImage', () => {
  test('shows the whole picture in a square and repeats grey', async () => {
    const picture = await flat(1, [90], 8, 20).png().toBuffer();
    expect(await decoded('grey.png', picture, 4)).toEqual(new Array(48).fill(90));
  });

  describe('composites what is transparent on white:', () => {
    const onWhite = (pixel: number[], alpha: number) =>
      pixel.map((value) => 255 + (alpha * (value - 255)) / 255);
    const deep = (channels: 2 | 4, pixel: number[]) =>
      sharp(Uint16Array.from(Array.from({ length: 36 }, () => pixel.map((value) => value * 257)).flat()), {
        raw: { width: 6, height: 6, channels },
      }).toColourspace(channels === 2 ? 'grey16' : 'rgb16');

    test.each<[string, number[], number, () => import('sharp').Sharp]>([
      ['alpha 0', [10, 20, 30], 0, () => flat(4, [10, 20, 30, 0], 6, 6).png()],
      ['partial alpha', [10, 20, 30], 128, () => flat(4, [10, 20, 30, 128], 6, 6).png()],
      ['full alpha', [10, 20, 30], 255, () => flat(4, [10, 20, 30, 255], 6, 6).png()],
      ['grey of alpha 0', [90], 0, () => flat(2, [90, 0], 6, 6).toColourspace('b-w').png()],
      ['grey of partial alpha', [90], 128, () => flat(2, [90, 128], 6, 6).toColourspace('b-w').png()],
      ['16 bits of alpha 0', [10, 20, 30], 0, () => deep(4, [10, 20, 30, 0]).png()],
      ['16 bits of partial alpha', [10, 20, 30], 128, () => deep(4, [10, 20, 30, 128]).png()],
      ['16 bits of grey of alpha 0', [90], 0, () => deep(2, [90, 0]).png()],
      ['16 bits of grey of partial alpha', [90], 128, () => deep(2, [90, 128]).png()],
      ['WebP', [10, 20, 30], 128, () => flat(4, [10, 20, 30, 128], 6, 6).webp({ lossless: true })],
      ['GIF', [10, 20, 30], 0, () => flat(4, [10, 20, 30, 0], 6, 6).gif()],
    ])('%s', async (_, pixel, alpha, picture) => {
      const file = await picture().toBuffer();
      expect((await sharp(file).metadata()).hasAlpha).toBe(true);
      const pixels = await decoded('transparent', file, 2);
      const expected = onWhite(pixel, alpha);
      const errors = pixels.map((value, index) => Math.abs(value - expected[index % expected.length]!));
      expect(pixels).toHaveLength(12);
      // Sixteen bits are cut to eight, not rounded.
      expect(Math.max(...errors)).toBeLessThan(2);
    });

    test('a palette with a tRNS chunk', async () => {
      const palette = await flat(4, [200, 100, 50, 128], 16, 16).png({ palette: true }).toBuffer();
      expect(palette.includes('tRNS')).toBe(true);
      // Under the name that VegFru gives such files.
      const pixels = await decoded('palette.jpg', palette, 2);
      const expected = onWhite([200, 100, 50], 128);
      const errors = pixels.map((value, index) => Math.abs(value - expected[index % 3]!));
      expect(Math.max(...errors)).toBeLessThanOrEqual(2);
    });

    test('before it is resized, so that colours nobody sees do not run into their neighbours', async () => {
      // The left half is opaque grey, the right half black and transparent.
      const row = [...new Array(4).fill([100, 100, 100, 255]), ...new Array(4).fill([0, 0, 0, 0])].flat();
      const picture = sharp(Buffer.from(new Array(8).fill(row).flat()), {
        raw: { width: 8, height: 8, channels: 4 },
      });
      const flattened = sharp(
        Buffer.from(new Array(8).fill([...new Array(12).fill(100), ...new Array(12).fill(255)]).flat()),
        { raw: { width: 8, height: 8, channels: 3 } },
      );
      expect(await decoded('half.png', await picture.png().toBuffer(), 3)).toEqual(
        await decoded('white.png', await flattened.png().toBuffer(), 3),
      );
    });
  });

  test('turns CMYK into sRGB', async () => {
    const picture = await flat(3, [255, 0, 0], 16, 16).toColourspace('cmyk').jpeg().toBuffer();
    const [red, green, blue] = await decoded('cmyk.jpg', picture, 4);
    expect(red).toBeGreaterThan(150);
    expect(green).toBeLessThan(80);
    expect(blue).toBeLessThan(80);
  });

  test('ignores the orientation tag', async () => {
    const picture = sharp(Buffer.from([255, 255, 255, 0, 0, 0]), {
      raw: { width: 2, height: 1, channels: 3 },
    });
    const upright = await picture.clone().png().toBuffer();
    const tagged = await picture.clone().withMetadata({ orientation: 3 }).png().toBuffer();
    expect(await decoded('tagged.png', tagged, 2)).toEqual(await decoded('upright.png', upright, 2));
  });

  test('reads a palette as its colours', async () => {
    const palette = await flat(3, [200, 100, 50], 16, 16).png({ palette: true }).toBuffer();
    expect((await sharp(palette).metadata()).isPalette).toBe(true);
    const [red, green, blue] = await decoded('palette.png', palette, 4);
    expect([red! - 200, green! - 100, blue! - 50].map(Math.abs).every((error) => error <= 2)).toBe(true);
  });

  test('is not disturbed by a broken EXIF segment', async () => {
    const sound = await jpegPicture(3);
    const content = Buffer.concat([
      Buffer.from('Exif\0\0II*\0\xff\xff\xff\x7f', 'latin1'),
      Buffer.alloc(16, 0xfe),
    ]);
    const segment = Buffer.from([0xff, 0xe1, 0, content.length + 2]);
    const broken = Buffer.concat([sound.subarray(0, 2), segment, content, sound.subarray(2)]);
    expect(await decoded('broken.jpg', broken, 16)).toEqual(await decoded('sound.jpg', sound, 16));
  });

  test('averages with a triangle as wide as the reduction asks for', async () => {
    const side = 90;
    const size = 40;
    const grey = Buffer.from(Array.from({ length: side * side }, (_, index) => (index * index * 7) % 256));
    const picture = await sharp(grey, { raw: { width: side, height: side, channels: 1 } })
      .png()
      .toBuffer();
    const pixels = await decoded('texture.png', picture, size);
    const expected = triangleResize(triangleResize(Array.from(grey), side, size), side, size);
    const difference = expected.reduce((sum, value, index) => sum + Math.abs(value - pixels[index * 3]!), 0);
    expect(difference / expected.length).toBeLessThan(2);
  });

  test.each<[string, (picture: Buffer) => Uint8Array]>([
    ['a truncated JPEG', (picture) => picture.subarray(0, picture.length / 2)],
    ['a file without content', () => new Uint8Array(0)],
    ['a file that is no picture', () => Buffer.from('These are words.')],
  ])('refuses %s in one sentence that names it', async (_, damage) => {
    await expect(decoded('hurt.jpg', damage(await jpegPicture(1)), 16)).rejects.toMatchObject({
      code: 'DATASET_IMAGE_DAMAGED',
      message: expect.stringMatching(
        /^the image \S+hurt\.jpg \([0-9]+ bytes\) cannot be decoded \([^\n]+\)$/,
      ),
    });
  });

  test.each([
    [
      'a file without content',
      Buffer.alloc(0),
      'it is no picture, expected one of JPEG, PNG, WebP, GIF, TIFF, AVIF',
    ],
    ['words', Buffer.from('words'), 'it is no picture, expected one of JPEG, PNG, WebP, GIF, TIFF, AVIF'],
    ['a decompression bomb', pngBomb(16_384), 'it has too many pixels, expected at most 268402689'],
  ])('%s: says what was expected', async (_, bytes, reason) => {
    await expect(decodePixels(bytes, 16, 'x')).rejects.toEqual(
      failure('DATASET_IMAGE_DAMAGED', `the image x (${bytes.length} bytes) cannot be decoded (${reason})`),
    );
  });

  test('fills what a truncated JPEG lacks with grey, where it may', async () => {
    const picture = await jpegPicture(1);
    const file = path.join(await temporaryFolder(), 'short.jpg');
    await writeFile(file, picture.subarray(0, picture.length * 0.6));
    const filled = await decodeImage(file, 40, 'fill');
    const whole = await decoded('whole.jpg', picture, 40);
    // The first rows are the picture's, the last are grey.
    expect([...filled.subarray(0, 40 * 3 * 8)]).toEqual(whole.slice(0, 40 * 3 * 8));
    expect([...filled.subarray(-12)]).toEqual(new Array(12).fill(128));
  });

  test('refuses a folder', async () => {
    const folder = await temporaryFolder();
    await expect(decodeImage(folder, 16)).rejects.toEqual(
      failure('DATASET_IMAGE_MISSING', `the image ${folder} is a folder, expected a file`),
    );
  });

  test('refuses a file that is not there', async () => {
    await expect(decodeImage('/nowhere/a.jpg', 16)).rejects.toMatchObject({ code: 'DATASET_IMAGE_MISSING' });
  });
});
