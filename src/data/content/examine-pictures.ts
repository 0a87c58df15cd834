import path from 'node:path';
import { disk } from '../../disk/disk.js';
import { DatasetError } from '../error.js';
import type { ListedImage } from '../layouts/listing.js';
import type { FileStamp } from './digest-file.js';
import { inParallel } from './parallel.js';

/** Enough parallel requests for a local or remote disk. */
const parallelLooks = 64;

/**
 * Examines the file of every picture without reading it.
 * @param onProgress called after each picture
 * @returns the files' stamps, in the order of the pictures
 * @throws DatasetError DATASET_IMAGE_MISSING, DATASET_IMAGE_EMPTY
 */
export async function examinePictures(
  imagesRoot: string,
  images: readonly ListedImage[],
  onProgress: (done: number, total: number) => void,
): Promise<FileStamp[]> {
  const stamps = new Array<FileStamp>(images.length);
  let done = 0;
  await inParallel(parallelLooks, images.keys(), async (index) => {
    const image = images[index]!;
    stamps[index] = await stampOf(imagesRoot, image);
    onProgress(++done, images.length);
  });
  requireContent(imagesRoot, images, stamps);
  return stamps;
}

async function stampOf(imagesRoot: string, { path: name, place }: ListedImage): Promise<FileStamp> {
  const file = path.join(imagesRoot, name);
  const status = await disk.stamp(file).catch(async (cause: NodeJS.ErrnoException) => {
    const reason =
      cause.code === 'ENOENT' ? await whyAbsent(imagesRoot, name) : `cannot be read (${cause.code})`;
    throw new DatasetError('DATASET_IMAGE_MISSING', `the image ${file}, listed in ${place}, ${reason}`, {
      cause,
    });
  });
  if (!status.isFile()) {
    throw new DatasetError('DATASET_IMAGE_MISSING', `the image ${file}, listed in ${place}, is not a file`);
  }
  const { ino, size, mtimeNs, ctimeNs } = status;
  return { ino, size, mtimeNs, ctimeNs };
}

/** Unpacking and copying may change a name's Unicode normalisation, which looks the same. */
async function whyAbsent(imagesRoot: string, name: string): Promise<string> {
  for (const form of ['NFC', 'NFD'] as const) {
    const other = name.normalize(form);
    if (other === name || !(await disk.stat(path.join(imagesRoot, other)).catch(() => undefined))) continue;
    return `does not exist, but a file does whose name differs only in its Unicode normalisation, ${form}: rename it, or copy the dataset with a program that does not change names`;
  }
  return 'does not exist';
}

/** An interrupted copy or a full disk leaves empty files. */
function requireContent(
  imagesRoot: string,
  images: readonly ListedImage[],
  stamps: readonly FileStamp[],
): void {
  const empty = images.filter((_, index) => stamps[index]!.size === 0n);
  if (empty.length === 0) return;
  const { path: first, place } = empty[0]!;
  const others = empty.length === 1 ? '' : `, and ${empty.length - 1} more are empty too`;
  throw new DatasetError(
    'DATASET_IMAGE_EMPTY',
    `the image ${path.join(imagesRoot, first)}, listed in ${place}, is empty, expected a picture${others}`,
  );
}
