import { truncatedPicturesOf } from '../data/layouts/layouts.js';
import { renderView, storePicture } from '../data/stored-picture.js';
import { queryView } from '../data/views.js';
import type { TrainingRunSpec } from '../run/training-run.js';

/** The bytes of a picture's file. */
export interface Picture {
  /** Names it in errors. */
  readonly name: string;
  readonly bytes: Buffer;
}

/**
 * Decodes pictures to what the network sees of a query of the run.
 * @returns uint8 `[pictures, imageSize, imageSize, 3]`
 * @throws DatasetError DATASET_IMAGE_DAMAGED
 */
export async function pixelsOf(
  { augmentation, model, dataset }: TrainingRunSpec,
  pictures: readonly Picture[],
): Promise<Uint8Array<ArrayBuffer>> {
  const { imageSize } = model;
  const form = { crop: augmentation.crop, imageSize };
  const truncated = truncatedPicturesOf(dataset.kind);
  const pixels = new Uint8Array(pictures.length * imageSize ** 2 * 3);
  await Promise.all(
    pictures.map(async ({ bytes, name }, row) => {
      const stored = await storePicture(bytes, form, name, truncated);
      const view = queryView(augmentation, stored, imageSize);
      pixels.set(await renderView(stored, view, imageSize), row * imageSize ** 2 * 3);
    }),
  );
  return pixels;
}
