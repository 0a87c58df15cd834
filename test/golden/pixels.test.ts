import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { decodeImage } from '../../src/data/pixels.js';

interface PixelCase {
  image: string;
  size: number;
  rgb_base64: string;
}

// The reference holds pixels of photos that are for research only, so neither may be copied into the project.
const shared = process.env.FCAENET_SHARED ?? path.resolve(import.meta.dirname, '../../../shared');
const golden = process.env.FCAENET_GOLDEN ?? path.join(shared, 'golden');
const reference = [golden, path.join(shared, 'golden')]
  .map((folder) => path.join(folder, 'pixels.json'))
  .find((file) => existsSync(file));
const photos = path.join(shared, 'data/cub50/images');
const present = reference !== undefined && existsSync(photos);
const cases = present ? (JSON.parse(readFileSync(reference, 'utf8')).cases as PixelCase[]) : [];

describe.skipIf(!present)('decoded photos (need the shared photos and pixels.json)', () => {
  test.each(cases)('$image at $size pixels is within 2 levels on average', async (golden) => {
    const expected = Buffer.from(golden.rgb_base64, 'base64');
    const pixels = await decodeImage(path.join(photos, golden.image), golden.size);
    expect(pixels).toHaveLength(expected.length);
    const difference = pixels.reduce((sum, value, index) => sum + Math.abs(value - expected[index]!), 0);
    expect(difference / pixels.length).toBeLessThanOrEqual(2);
  });
});
