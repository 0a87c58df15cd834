import sharp from 'sharp';
import { diskWatch } from '../disk/watch.js';
import type { Augmentation } from '../run/training-run.js';
import { damagedImage, decodePixels, type TruncatedPictures } from './pixels.js';
import { shortSideFor, type View } from './views.js';

/** How decoded pictures are stored: as squares of the network's size, or larger, to be cropped later. */
export interface StoredForm {
  readonly crop: Augmentation['crop'];
  /** side of the network's input, in pixels */
  readonly imageSize: number;
}

/** A decoded picture in its stored form. */
export interface StoredPicture {
  /** size of the picture with its short side as the form requires; views use these coordinates */
  readonly width: number;
  readonly height: number;
  /** number of stored pixels; the long side has at most twice the pixels of the short side */
  readonly storedWidth: number;
  readonly storedHeight: number;
  /** uint8 `[storedHeight, storedWidth, 3]` */
  readonly pixels: Uint8Array;
}

/** Width and height, then stored width and stored height: uint32 each. */
const headBytes = 16;
/** Longer pictures are stored with fewer pixels along the long side. */
const mostAspect = 2;

/** Largest size of a packed picture in bytes. */
export function packedBytes({ crop, imageSize }: StoredForm): number {
  if (crop === 'none') return imageSize ** 2 * 3;
  return headBytes + shortSideFor(imageSize) ** 2 * mostAspect * 3;
}

/** One byte array, for the cache. */
export function packPicture({ crop }: StoredForm, picture: StoredPicture): Uint8Array {
  if (crop === 'none') return picture.pixels;
  const packed = new Uint8Array(headBytes + picture.pixels.length);
  const { width, height, storedWidth, storedHeight } = picture;
  new Uint32Array(packed.buffer, 0, 4).set([width, height, storedWidth, storedHeight]);
  packed.set(picture.pixels, headBytes);
  return packed;
}

/** @param packed a result of {@link packPicture} */
export function unpackPicture({ crop, imageSize }: StoredForm, packed: Uint8Array): StoredPicture {
  if (crop === 'none') {
    const side = { width: imageSize, height: imageSize, storedWidth: imageSize, storedHeight: imageSize };
    return { ...side, pixels: packed };
  }
  const view = new DataView(packed.buffer, packed.byteOffset, headBytes);
  const [width, height, storedWidth, storedHeight] = [0, 4, 8, 12].map((at) => view.getUint32(at, true));
  return {
    width: width!,
    height: height!,
    storedWidth: storedWidth!,
    storedHeight: storedHeight!,
    pixels: packed.subarray(headBytes),
  };
}

/**
 * Decodes a picture file into its stored form.
 * @param name the picture's name in errors
 * @throws DatasetError DATASET_IMAGE_DAMAGED
 */
export async function storePicture(
  bytes: Buffer,
  { crop, imageSize }: StoredForm,
  name: string,
  truncated: TruncatedPictures = 'reject',
): Promise<StoredPicture> {
  if (crop === 'none') {
    const pixels = await decodePixels(bytes, imageSize, name, truncated);
    return {
      width: imageSize,
      height: imageSize,
      storedWidth: imageSize,
      storedHeight: imageSize,
      pixels,
    };
  }
  const found = await diskWatch
    .until('decode', name, sharp(bytes, { autoOrient: false }).metadata())
    .catch((cause) => {
      throw damagedImage(name, bytes, cause);
    });
  const short = shortSideFor(imageSize);
  const scale = short / Math.min(found.width, found.height);
  const size = { width: Math.round(found.width * scale), height: Math.round(found.height * scale) };
  const stored = {
    width: Math.min(size.width, mostAspect * short),
    height: Math.min(size.height, mostAspect * short),
  };
  return {
    ...size,
    storedWidth: stored.width,
    storedHeight: stored.height,
    pixels: await decodePixels(bytes, stored, name, truncated),
  };
}

/**
 * Renders a view as the network's input: uint8 `[imageSize, imageSize, 3]`. A part is resized with the same filter as
 * whole pictures.
 */
export async function renderView(
  { width, height, storedWidth, storedHeight, pixels }: StoredPicture,
  view: View,
  imageSize: number,
): Promise<Uint8Array> {
  const part = {
    ...along(view.left, view.width, storedWidth / width, storedWidth, 'left', 'width'),
    ...along(view.top, view.height, storedHeight / height, storedHeight, 'top', 'height'),
  };
  const isWhole = part.width === storedWidth && part.height === storedHeight;
  if (isWhole && storedWidth === imageSize && storedHeight === imageSize) {
    return view.flipped ? mirrored(pixels, imageSize) : pixels;
  }
  const rendering = sharp(pixels, { raw: { width: storedWidth, height: storedHeight, channels: 3 } })
    .extract(part)
    .resize(imageSize, imageSize, { fit: 'fill', kernel: 'linear' })
    .raw()
    .toBuffer();
  const rendered = await diskWatch.until('decode', 'a picture in memory', rendering);
  return view.flipped ? mirrored(rendered, imageSize) : rendered;
}

/** Position of a range of the picture in the stored pixels: never empty, never outside. */
function along<Start extends string, Length extends string>(
  start: number,
  length: number,
  scale: number,
  available: number,
  startName: Start,
  lengthName: Length,
): Record<Start | Length, number> {
  const first = Math.min(available - 1, Math.round(start * scale));
  const end = Math.min(available, Math.max(first + 1, Math.round((start + length) * scale)));
  return { [startName]: first, [lengthName]: end - first } as Record<Start | Length, number>;
}

/** Exchanges left and right. */
function mirrored(pixels: Uint8Array, side: number): Uint8Array {
  const result = new Uint8Array(pixels.length);
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const from = (row * side + column) * 3;
      const to = (row * side + side - 1 - column) * 3;
      result[to] = pixels[from]!;
      result[to + 1] = pixels[from + 1]!;
      result[to + 2] = pixels[from + 2]!;
    }
  }
  return result;
}
