import sharp from 'sharp';
import { diskWatch } from '../disk/watch.js';
import { DatasetError } from './error.js';
import { readPicture } from './picture-file.js';

// Decode on one thread: workers already run one process per core, and their pictures in parallel.
sharp.concurrency(1);
// Each picture is read once and cached by its reader, so libvips' own cache would only use memory.
sharp.cache(false);

/**
 * Names the code that turns files into pixels: this module and the libraries. Another version may give other pixels.
 */
export const decoderVersion = [
  'pixels 2',
  ...['sharp', 'vips', 'mozjpeg', 'png'].map(
    (part) => `${part} ${sharp.versions[part as keyof typeof sharp.versions]}`,
  ),
].join(', ');

/**
 * How a picture whose file ends too early is handled: it is an error, or the missing part is grey. The published VegFru
 * is said to contain such files, and other programs that train on it fill them.
 */
export type TruncatedPictures = 'reject' | 'fill';

/**
 * Reads and decodes one picture; see {@link decodePixels}.
 *
 * @throws DatasetError DATASET_IMAGE_MISSING, DATASET_IMAGE_DAMAGED, naming the file
 */
export async function decodeImage(
  file: string,
  size: number,
  truncated: TruncatedPictures = 'reject',
): Promise<Uint8Array> {
  return decodePixels(await readPicture(file), size, file, truncated);
}

/**
 * Decodes one picture and resizes all of it: triangle filter scaled by the reduction (antialiased), sRGB, transparency
 * composited on white, grey repeated, orientation tags ignored.
 * @param size of the result in pixels; a number is the side of a square
 * @param name the picture's name in errors
 * @returns uint8 pixels, [height, width, 3]
 * @throws DatasetError DATASET_IMAGE_DAMAGED
 */
export async function decodePixels(
  bytes: Buffer,
  size: number | { readonly width: number; readonly height: number },
  name: string,
  truncated: TruncatedPictures = 'reject',
): Promise<Uint8Array> {
  const { width, height } = typeof size === 'number' ? { width: size, height: size } : size;
  try {
    const decoding = sharp(bytes, { failOn: truncated === 'fill' ? 'none' : 'error', autoOrient: false })
      // Flatten before the resize: a transparent pixel's own colour, often black, must not blend into adjacent pixels.
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

/** What is wrong with a file that is no picture. */
export const noPicture = 'it is no picture, expected one of JPEG, PNG, WebP, GIF, TIFF, AVIF';
/** Most pixels that sharp decodes. */
const mostPixels = 0x3fff ** 2;

/** The error for a picture that does not decode. */
export function damagedImage(name: string, bytes: Buffer, cause: unknown): DatasetError {
  return new DatasetError(
    'DATASET_IMAGE_DAMAGED',
    `the image ${name} (${bytes.length} bytes) cannot be decoded (${reasonOf((cause as Error).message)})`,
    { cause },
  );
}

/** What sharp says, in words that say what was expected. */
function reasonOf(message: string): string {
  if (/unsupported image format|buffer is empty/i.test(message)) return noPicture;
  if (/exceeds pixel limit/i.test(message)) return `it has too many pixels, expected at most ${mostPixels}`;
  return message.trim().replaceAll(/\s+/g, ' ');
}
