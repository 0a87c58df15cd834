import { disk } from '../disk/disk.js';
import { DatasetError } from './error.js';

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
