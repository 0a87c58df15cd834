import { disk } from '../disk/disk.js';
import { whyUnread } from '../disk/input-file.js';
import { DatasetError } from './error.js';

/**
 * The bytes of a picture of a dataset, which is known to be a file.
 *
 * @throws DatasetError DATASET_IMAGE_MISSING
 */
export function readPicture(file: string): Promise<Buffer> {
  return orMissing(file, disk.readFile(file));
}

/**
 * The bytes of a picture that a user names. What is no file is refused: a named pipe may never answer, a device never end.
 *
 * @throws DatasetError DATASET_IMAGE_MISSING
 */
export function readNamedPicture(file: string): Promise<Buffer> {
  return orMissing(file, disk.readInput(file));
}

function orMissing(file: string, bytes: Promise<Buffer>): Promise<Buffer> {
  return bytes.catch((cause: NodeJS.ErrnoException) => {
    const fault = cause.code === 'EISDIR' ? 'is a folder, expected a file' : whyUnread(cause);
    throw new DatasetError('DATASET_IMAGE_MISSING', `the image ${file} ${fault}`, { cause });
  });
}
