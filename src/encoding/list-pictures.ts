import { dirname, join } from 'node:path';
import { disk } from '../disk/disk.js';
import { otherEncoding } from '../disk/encoding.js';
import { readInputFile, whyUnread } from '../disk/input-file.js';
import { quote } from '../errors.js';
import { isAbsent } from '../run/presence.js';
import { EncodingError } from './error.js';

/** Endings of files that are taken from a folder. A list may name files with others. */
const endings = ['.jpg', '.jpeg', '.png', '.webp', '.gif', '.tif', '.tiff', '.avif'];
const largestListBytes = 2 ** 28;

/** Pictures in the order of their codes. */
export interface FoundPictures {
  /** Relative to `root`, or absolute where a list names them so. */
  readonly paths: readonly string[];
  readonly root: string;
}

/**
 * The pictures below a folder, in the order of their paths' UTF-16 code units, or those of a list with a path in each
 * line, relative to the list's folder.
 * @throws EncodingError ENCODING_NO_PICTURES, ENCODING_LIST_INVALID
 */
export async function listPictures(path: string): Promise<FoundPictures> {
  const status = await disk.stat(path).catch((cause: NodeJS.ErrnoException) => {
    const what = cause.code === 'ENOENT' ? 'does not exist' : `cannot be read (${cause.code})`;
    throw new EncodingError(
      'ENCODING_LIST_INVALID',
      `${path} ${what}, expected a folder of pictures, or a file with a path in each line`,
      { cause },
    );
  });
  const isFolder = status.isDirectory();
  const root = isFolder ? path : dirname(path);
  const paths = isFolder ? await picturesBelow(path) : linesOf(path);
  if (paths.length === 0) {
    throw new EncodingError(
      'ENCODING_NO_PICTURES',
      isFolder
        ? `there is no picture below ${path}, expected files that end in ${endings.join(', ')}`
        : `the list ${path} is empty, expected a path in each line`,
    );
  }
  const broken = paths.find((each) => /[\r\n]/.test(each));
  if (broken !== undefined) {
    throw new EncodingError(
      'ENCODING_LIST_INVALID',
      `the path ${quote(broken)} contains a line break, but paths are written one in a line: rename the file`,
    );
  }
  return { root, paths };
}

async function picturesBelow(root: string): Promise<string[]> {
  const found: string[] = [];
  const folders = [''];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of await disk.entries(join(root, folder))) {
      if (entry.name.startsWith('.')) continue;
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.name.includes('\ufffd')) await requireItsName(root, path);
      if (entry.isDirectory()) folders.push(path);
      // A link to a folder is not followed: it may lead back.
      else if (isPicture(entry.name) && (entry.isFile() || (await isLinkedFile(join(root, path))))) {
        found.push(path);
      }
    }
  }
  return found.sort((a, b) => (a < b ? -1 : 1));
}

/** Node shows bytes that are not UTF-8 as U+FFFD, and then nothing is there by that name. */
async function requireItsName(root: string, path: string): Promise<void> {
  if (!(await isAbsent(join(root, path)))) return;
  throw new EncodingError(
    'ENCODING_LIST_INVALID',
    `the name ${quote(path)} below ${root} is not UTF-8, but paths are written as UTF-8: rename it`,
  );
}

function isPicture(name: string): boolean {
  const lower = name.toLowerCase();
  return endings.some((ending) => lower.endsWith(ending));
}

async function isLinkedFile(path: string): Promise<boolean> {
  return disk.stat(path).then(
    (status) => status.isFile(),
    () => false,
  );
}

function linesOf(path: string): string[] {
  let bytes: Buffer;
  try {
    bytes = readInputFile(path, largestListBytes);
  } catch (cause) {
    throw new EncodingError('ENCODING_LIST_INVALID', `the list ${path} ${whyUnread(cause)}`, { cause });
  }
  if (bytes.includes(0)) {
    throw new EncodingError(
      'ENCODING_LIST_INVALID',
      `the list ${path} is not a text file, expected a path in each line; for one picture make a list of one line`,
    );
  }
  const encoding = otherEncoding(bytes);
  if (encoding !== undefined) {
    throw new EncodingError(
      'ENCODING_LIST_INVALID',
      `the list ${path} is ${encoding} but must be UTF-8: save it as UTF-8`,
    );
  }
  return bytes
    .toString('utf8')
    .replace(/^\ufeff/, '')
    .split('\n')
    .map((line) => line.replace(/\r$/, ''))
    .filter((line) => line !== '');
}
