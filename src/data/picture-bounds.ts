import sharp from 'sharp';
import { diskWatch } from '../disk/watch.js';
import { DatasetError } from './error.js';
import { damagedImage, noPicture } from './pixels.js';

/** The first bytes of the formats that strangers may send. Others, such as SVG, are documents that a reader executes. */
const formats: Readonly<Record<string, (bytes: Buffer) => boolean>> = {
  JPEG: (bytes) => bytes.readUIntBE(0, 3) === 0xffd8ff,
  PNG: (bytes) => bytes.toString('latin1', 1, 8) === 'PNG\r\n\x1a\n',
  WebP: (bytes) => bytes.toString('latin1', 0, 4) === 'RIFF' && bytes.toString('latin1', 8, 12) === 'WEBP',
  GIF: (bytes) => /^GIF8[79]a/.test(bytes.toString('latin1', 0, 6)),
  TIFF: (bytes) => ['II*\0', 'MM\0*'].includes(bytes.toString('latin1', 0, 4)),
  AVIF: (bytes) => /^ftyp(avif|avis|mif1)/.test(bytes.toString('latin1', 4, 12)),
};
const leastBytes = 12;

/**
 * Refuses a picture of a stranger that is no picture, or that would need too much memory, from its head: before it is
 * decoded.
 * @param name the picture's name in errors
 * @throws DatasetError DATASET_IMAGE_DAMAGED, DATASET_IMAGE_TOO_LARGE
 */
export async function requireModestPicture(bytes: Buffer, name: string, mostPixels: number): Promise<void> {
  if (bytes.length < leastBytes || !Object.values(formats).some((isFormat) => isFormat(bytes))) {
    throw damagedImage(name, bytes, new Error(noPicture));
  }
  const { width, height } = await diskWatch
    .until('decode', name, sharp(bytes, { limitInputPixels: false }).metadata())
    .catch((cause) => {
      throw damagedImage(name, bytes, cause);
    });
  if (width * height > mostPixels) {
    throw new DatasetError(
      'DATASET_IMAGE_TOO_LARGE',
      `the image ${name} has ${width} × ${height} pixels, expected at most ${mostPixels} pixels`,
    );
  }
}
