import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { DatasetError } from './error.js';

/** One line `KEY VALUE` of a list: split at the first space, so values may hold spaces. */
export interface ListLine {
  key: string;
  value: string;
  /** where it stands, for messages: `images.txt, line 7` */
  place: string;
}

/**
 * Reads a list of `KEY VALUE` lines with unique keys. Lines of nothing but white space are passed over.
 *
 * @throws DatasetError DATASET_LIST_MISSING, DATASET_LINE_MALFORMED, DATASET_ENTRY_DUPLICATE
 */
export async function readList(
  root: string,
  file: string,
  valueName: string,
): Promise<Map<string, ListLine>> {
  const lines = new Map<string, ListLine>();
  (await readText(root, file)).split('\n').forEach((raw, index) => {
    const line = raw.trim();
    if (line === '') return;
    const place = `${file}, line ${index + 1}`;
    const space = line.indexOf(' ');
    if (space < 0) {
      throw new DatasetError(
        'DATASET_LINE_MALFORMED',
        `${place} of ${root} is "${line}" where "<id> <${valueName}>" was expected`,
      );
    }
    const key = line.slice(0, space);
    const earlier = lines.get(key);
    if (earlier !== undefined) {
      throw new DatasetError(
        'DATASET_ENTRY_DUPLICATE',
        `${place} of ${root} gives the id ${key} a second time (first: ${earlier.place})`,
      );
    }
    lines.set(key, { key, value: line.slice(space + 1).trim(), place });
  });
  return lines;
}

async function readText(root: string, file: string): Promise<string> {
  try {
    return await readFile(path.join(root, file), 'utf8');
  } catch (cause) {
    throw new DatasetError(
      'DATASET_LIST_MISSING',
      `the list ${file} of the dataset ${root} cannot be read (${(cause as NodeJS.ErrnoException).code})`,
      { cause },
    );
  }
}
