import sharp from 'sharp';
import { diskWatch } from '../disk/watch.js';
import { readPicture } from './picture-file.js';
import { damagedImage } from './pixels.js';

/** The most pixels of a picture that is made small for a page. */
const mostPixels = 100_000_000;

/**
 * A small JPEG of a picture's file, for a page. Nothing is computed from it.
 * @param side of the square that it fits into, in pixels
 * @throws DatasetError DATASET_IMAGE_MISSING, DATASET_IMAGE_DAMAGED
 */
export async function thumbnail(file: string, side: number): Promise<Buffer> {
  const bytes = await readPicture(file);
  const shrinking = sharp(bytes, { autoOrient: false, failOn: 'none', limitInputPixels: mostPixels })
    .resize(side, side, { fit: 'inside', withoutEnlargement: true })
    .flatten({ background: '#ffffff' })
    .jpeg({ quality: 80 })
    .toBuffer();
  return diskWatch.until('decode', file, shrinking).catch((cause) => {
    throw damagedImage(file, bytes, cause);
  });
}
