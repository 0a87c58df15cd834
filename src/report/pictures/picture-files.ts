import path from 'node:path';
import sharp from 'sharp';
import { DatasetError } from '../../data/error.js';
import { readPicture } from '../../data/pixels.js';
import { diskWatch } from '../../disk/watch.js';

/** Longer side of a thumbnail in pixels. */
const thumbnailSide = 128;
const quality = 65;

/** Pictures of a run's dataset as data URIs, read once each. */
export class PictureFiles {
  private readonly thumbnails = new Map<string, Promise<string | null>>();

  /** @param folder of the images */
  constructor(readonly folder: string) {}

  /** The bytes of a picture; null when its file is not there. */
  async bytes(image: string): Promise<Buffer | null> {
    try {
      return await readPicture(path.join(this.folder, image));
    } catch (error) {
      if (error instanceof DatasetError && error.code === 'DATASET_IMAGE_MISSING') return null;
      throw error;
    }
  }

  /** A small copy of a picture as a data URI; null when it is not there or does not decode. */
  thumbnail(image: string): Promise<string | null> {
    const known = this.thumbnails.get(image) ?? this.shrink(image);
    this.thumbnails.set(image, known);
    return known;
  }

  private async shrink(image: string): Promise<string | null> {
    const bytes = await this.bytes(image);
    if (bytes === null) return null;
    const shrinking = sharp(bytes, { failOn: 'none', autoOrient: false })
      .flatten({ background: '#ffffff' })
      .toColourspace('srgb')
      .resize(thumbnailSide, thumbnailSide, { fit: 'inside', withoutEnlargement: true })
      .webp({ quality })
      .toBuffer();
    return diskWatch.until('decode', image, shrinking).then(dataUri, () => null);
  }
}

/** Pixels as a data URI. @param pixels uint8 `[side, side, 3]` */
export async function pixelsUri(pixels: Uint8Array, side: number): Promise<string> {
  const encoding = sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
    .resize(Math.min(side, 2 * thumbnailSide))
    .webp({ quality })
    .toBuffer();
  return dataUri(await diskWatch.until('decode', 'a picture in memory', encoding));
}

function dataUri(bytes: Buffer): string {
  return `data:image/webp;base64,${bytes.toString('base64')}`;
}
