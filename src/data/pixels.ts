import sharp from 'sharp';
import { disk } from '../disk/disk.js';
import { diskWatch } from '../disk/watch.js';
import { DatasetError } from './error.js';

// A picture is decoded on one thread: workers already run one per core, and their pictures side by side.
sharp.concurrency(1);
// Every picture is read once and kept, packed, by its reader; libvips' own cache would only hold memory.
sharp.cache(false);

/** Names the code that turns files into pixels, this module's and the libraries': another version may give others. */
export const decoderVersion = [
  'pixels 2',
  ...['sharp', 'vips', 'mozjpeg', 'png'].map(
    (part) => `${part} ${sharp.versions[part as keyof typeof sharp.versions]}`,
  ),
].join(', ');

/**
 * What becomes of a picture whose file ends too early: it is refused, or what is missing is grey. VegFru as published
 * is said to hold such files, and every program that trains on it fills them.
 */
export type TruncatedPictures = 'refuse' | 'fill';

/**
 * Reads and decodes one picture; see {@link decodePixels}.
 *
 * @throws DatasetError DATASET_IMAGE_MISSING, DATASET_IMAGE_DAMAGED, naming the file
 */
export async function decodeImage(
  file: string,
  size: number,
  truncated: TruncatedPictures = 'refuse',
): Promise<Uint8Array> {
  return decodePixels(await readPicture(file), size, file, truncated);
}

/**
 * The bytes of a picture's file.
 *
 * @throws DatasetError DATASET_IMAGE_MISSING
 */
export async function readPicture(file: string): Promise<Buffer> {
  return disk.readFile(file).catch((cause: NodeJS.ErrnoException) => {
    throw new DatasetError('DATASET_IMAGE_MISSING', `the image ${file} cannot be read (${cause.code})`, {
      cause,
    });
  });
}

/**
 * Decodes one picture and resizes the whole of it: triangle filter scaled by the reduction (antialiased), sRGB, what is
 * transparent composited on white, grey repeated, orientation tags ignored.
 *
 * @param size of the result in pixels; a number is the side of a square
 * @param name what an error calls the picture
 * @returns uint8 pixels, [height, width, 3]
 * @throws DatasetError DATASET_IMAGE_DAMAGED
 */
export async function decodePixels(
  bytes: Buffer,
  size: number | { readonly width: number; readonly height: number },
  name: string,
  truncated: TruncatedPictures = 'refuse',
): Promise<Uint8Array> {
  const { width, height } = typeof size === 'number' ? { width: size, height: size } : size;
  try {
    const decoding = sharp(bytes, { failOn: truncated === 'fill' ? 'none' : 'error', autoOrient: false })
      // Before the resize: a transparent pixel's own colour, often black, must not run into its neighbours.
      .flatten({ background: '#ffffff' })
      .toColourspace('srgb')
      .resize(width, height, { fit: 'fill', kernel: 'linear', fastShrinkOnLoad: false })
      .raw()
      .toBuffer();
    return await diskWatch.until('decode', name, decoding);
  } catch (cause) {
    throw damagedImage(name, bytes, cause);
  }
}

/** The error for a picture that does not decode. */
export function damagedImage(name: string, bytes: Buffer, cause: unknown): DatasetError {
  const reason = (cause as Error).message.trim().replaceAll(/\s+/g, ' ');
  return new DatasetError(
    'DATASET_IMAGE_DAMAGED',
    `the image ${name} (${bytes.length} bytes) cannot be decoded (${reason})`,
    { cause },
  );
}
