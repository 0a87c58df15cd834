import path from 'node:path';
import sharp from 'sharp';
import { DatasetError } from '../../data/error.js';
import { readPicture } from '../../data/picture-file.js';
import { thumbnail } from '../../data/thumbnail.js';
import { diskWatch } from '../../disk/watch.js';

/** Longer side of a thumbnail in pixels. */
const thumbnailSide = 128;
/** Longest side of what the network sees, on the page. */
const largestSide = 256;

/** Pictures of a run's dataset, of which small copies are made once each. */
export class PictureFiles {
  private readonly thumbnails = new Map<string, Promise<string | null>>();

  /** @param folder of the images */
  constructor(readonly folder: string) {}

  /** The bytes of a picture; null when its file cannot be read. */
  bytes(image: string): Promise<Buffer | null> {
    return readPicture(this.file(image)).catch(nullIfUnusable);
  }

  /** A small copy of a picture as a data URI; null when it cannot be read or decoded. */
  thumbnail(image: string): Promise<string | null> {
    const known =
      this.thumbnails.get(image) ??
      thumbnail(this.file(image), thumbnailSide)
        .then((jpeg) => dataUri('jpeg', jpeg))
        .catch(nullIfUnusable);
    this.thumbnails.set(image, known);
    return known;
  }

  private file(image: string): string {
    return path.join(this.folder, image);
  }
}

/** Pixels as a data URI. @param pixels uint8 `[side, side, 3]` */
export async function pixelsUri(pixels: Uint8Array, side: number): Promise<string> {
  const encoding = sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
    .resize(Math.min(side, largestSide))
    .webp({ quality: 70 })
    .toBuffer();
  return dataUri('webp', await diskWatch.until('decode', 'a picture in memory', encoding));
}

function dataUri(type: string, bytes: Buffer): string {
  return `data:image/${type};base64,${bytes.toString('base64')}`;
}

function nullIfUnusable(error: unknown): null {
  if (error instanceof DatasetError) return null;
  throw error;
}
