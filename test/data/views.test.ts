import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { KeyedRandom, Purpose } from '../../src/data/random.js';
import {
  packedBytes,
  packPicture,
  renderView,
  storePicture,
  unpackPicture,
} from '../../src/data/stored-picture.js';
import { queryView, shortSideFor, trainingView, type View } from '../../src/data/views.js';

const random = new KeyedRandom(11);
const recipe = { crop: 'random-resized', flip: true } as const;
const key = (anchor: number, epoch = 0) => ({ purpose: Purpose.anchorView, iteration: 0, epoch, anchor });
const views = (count: number, size: { width: number; height: number }) =>
  Array.from({ length: count }, (_, anchor) => trainingView(random, key(anchor), recipe, size));
const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('what training rows see', () => {
  const size = { width: 384, height: 256 };

  test('lies inside the picture, with the areas and aspects of the recipe', () => {
    for (const { left, top, width, height } of views(2000, size)) {
      expect(left).toBeGreaterThanOrEqual(0);
      expect(top).toBeGreaterThanOrEqual(0);
      expect(left + width).toBeLessThanOrEqual(size.width);
      expect(top + height).toBeLessThanOrEqual(size.height);
      const share = (width * height) / (size.width * size.height);
      // To within the rounding of the sides.
      expect(share).toBeGreaterThan(0.079);
      expect(width / height).toBeGreaterThan(0.74);
      expect(width / height).toBeLessThan(1.35);
    }
  });

  test('is spread over the picture, and mirrored half of the time', () => {
    const seen = views(4000, size);
    expect(Math.abs(mean(seen.map(({ flipped }) => Number(flipped))) - 0.5)).toBeLessThan(0.03);
    const centre = mean(seen.map(({ left, width }) => left + width / 2)) / size.width;
    expect(Math.abs(centre - 0.5)).toBeLessThan(0.01);
    const share = mean(seen.map(({ width, height }) => (width * height) / (size.width * size.height)));
    expect(Math.abs(share - meanShareThatFits(size))).toBeLessThan(0.01);
  });

  /** Uniform from 8 % to all, and in the logarithm of the aspect; what does not fit is drawn again. */
  function meanShareThatFits({ width, height }: { width: number; height: number }): number {
    const steps = 300;
    const fitting: number[] = [];
    for (let i = 0; i < steps ** 2; i++) {
      const share = 0.08 + (0.92 * ((i % steps) + 0.5)) / steps;
      const aspect = 0.75 * (16 / 9) ** ((Math.floor(i / steps) + 0.5) / steps);
      const pixels = share * width * height;
      if (Math.sqrt(pixels * aspect) <= width && Math.sqrt(pixels / aspect) <= height) fitting.push(share);
    }
    return mean(fitting);
  }

  test('depends on every part of its key and on nothing else', () => {
    const view = (change: object, seed = 11) =>
      trainingView(new KeyedRandom(seed), { ...key(7), ...change }, recipe, size);
    expect(view({})).toEqual(view({}));
    const others = [
      view({ anchor: 8 }),
      view({ epoch: 1 }),
      view({ iteration: 1 }),
      view({ purpose: Purpose.positiveView }),
      view({}, 12),
    ];
    for (const other of others) expect(other).not.toEqual(view({}));
  });

  test('is the largest allowed middle of a picture that no attempt fits', () => {
    const narrow = { width: 2, height: 4000 };
    expect(trainingView(random, key(1), { crop: 'random-resized', flip: false }, narrow)).toEqual({
      left: 0,
      top: 1999,
      width: 2,
      height: 3,
      flipped: false,
    });
  });

  test('is all of the picture, at most mirrored, where nothing is cropped', () => {
    const flips = Array.from({ length: 100 }, (_, anchor) =>
      trainingView(random, key(anchor), { crop: 'none', flip: true }, size),
    );
    expect(new Set(flips.map(({ flipped }) => flipped))).toEqual(new Set([true, false]));
    for (const view of flips) expect(view).toMatchObject({ left: 0, top: 0, ...size });
    expect(trainingView(random, key(0), { crop: 'none', flip: false }, size).flipped).toBe(false);
  });
});

test('queries see the central square, 224 of 256 pixels', () => {
  expect(shortSideFor(224)).toBe(256);
  expect(queryView(recipe, { width: 384, height: 256 }, 224)).toEqual({
    left: 80,
    top: 16,
    width: 224,
    height: 224,
    flipped: false,
  });
});

describe('a picture that is kept to be cropped', () => {
  const form = { crop: 'random-resized', imageSize: 56 } as const;

  /** Red grows to the right, green downwards. */
  async function gradient(width: number, height: number): Promise<Buffer> {
    const pixels = Buffer.alloc(width * height * 3);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        pixels.set(
          [Math.round((255 * x) / (width - 1)), Math.round((255 * y) / (height - 1)), 0],
          (y * width + x) * 3,
        );
      }
    }
    return sharp(pixels, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer();
  }

  /** Mean red and green of what a view shows. */
  async function colours(picture: Awaited<ReturnType<typeof storePicture>>, view: View) {
    const pixels = await renderView(picture, view, form.imageSize);
    expect(pixels).toHaveLength(form.imageSize ** 2 * 3);
    const channel = (first: number) => mean([...pixels].filter((_, i) => i % 3 === first));
    return {
      red: channel(0),
      green: channel(1),
      firstRed: pixels[0]!,
      lastRed: pixels[(form.imageSize - 1) * 3]!,
    };
  }

  test('has the short side of the form and its own aspect', async () => {
    const { pixels, ...size } = await storePicture(await gradient(150, 100), form, 'a');
    expect(size).toEqual({ width: 96, height: 64, storedWidth: 96, storedHeight: 64 });
    expect(pixels).toHaveLength(96 * 64 * 3);
  });

  test('shows the part that a view names, mirrored where it says so', async () => {
    const picture = await storePicture(await gradient(150, 100), form, 'a');
    const right = { left: 48, top: 0, width: 48, height: 32, flipped: false };
    const seen = await colours(picture, right);
    expect(Math.abs(seen.red - 0.75 * 255)).toBeLessThan(3);
    expect(Math.abs(seen.green - 0.25 * 255)).toBeLessThan(3);
    expect(seen.firstRed).toBeLessThan(seen.lastRed);
    const mirrored = await colours(picture, { ...right, flipped: true });
    expect([mirrored.firstRed, mirrored.lastRed]).toEqual([seen.lastRed, seen.firstRed]);
  });

  test('of more than twice its short side has fewer pixels along the long one, and the same parts', async () => {
    const picture = await storePicture(await gradient(50, 400), form, 'a');
    const { pixels: _, ...size } = picture;
    expect(size).toEqual({ width: 64, height: 512, storedWidth: 64, storedHeight: 128 });
    const low = await colours(picture, { left: 0, top: 384, width: 64, height: 64, flipped: false });
    expect(Math.abs(low.green - (255 * (384 + 32)) / 512)).toBeLessThan(3);
    // The last pixel, however the edges are rounded.
    await colours(picture, { left: 63, top: 511, width: 1, height: 1, flipped: false });
  });

  test('survives being packed, in no more bytes than a slot has', async () => {
    for (const [width, height] of [
      [150, 100],
      [50, 400],
      [64, 64],
    ] as const) {
      const picture = await storePicture(await gradient(width, height), form, 'a');
      const packed = packPicture(form, picture);
      expect(packed.length).toBeLessThanOrEqual(packedBytes(form));
      expect(unpackPicture(form, packed)).toEqual({ ...picture, pixels: new Uint8Array(picture.pixels) });
    }
  });

  test('that does not decode is an error', async () => {
    await expect(storePicture(Buffer.from('These are words.'), form, 'a.jpg')).rejects.toMatchObject({
      code: 'DATASET_IMAGE_DAMAGED',
    });
  });
});
