import path from 'node:path';
import { disk } from '../../disk/disk.js';
import { otherEncoding } from '../../disk/encoding.js';
import { whyUnread } from '../../disk/input-file.js';
import { quote } from '../../errors.js';
import { DatasetError } from '../error.js';

/** One line `KEY VALUE` of a list. */
export interface ListLine {
  key: string;
  value: string;
  /** its position, for messages: `images.txt, line 7` */
  place: string;
}

/** The text of a line and its position. */
export interface RawLine {
  text: string;
  place: string;
}

/** Line ends of Unix, Windows, and classic Mac OS. */
const lineEnd = /\r\n|\n|\r/;

/**
 * The lines of a list, without white space at their ends. Empty lines are skipped.
 * @param file relative to `root`
 * @throws DatasetError DATASET_LIST_UNREADABLE, DATASET_LIST_ENCODING, DATASET_LINE_MALFORMED for a NUL byte
 */
export async function readLines(root: string, file: string): Promise<RawLine[]> {
  return (await readText(root, file))
    .split(lineEnd)
    .map((raw, index) => ({ text: raw.trim(), place: `${file}, line ${index + 1}` }))
    .filter(({ text }) => text !== '');
}

/**
 * Reads a list of `KEY VALUE` lines with unique keys, split at the first space, so values may contain spaces.
 * @param valueName name of a value, for messages
 * @throws DatasetError DATASET_LIST_UNREADABLE, DATASET_LINE_MALFORMED, DATASET_ENTRY_DUPLICATE
 */
export async function readList(
  root: string,
  file: string,
  valueName: string,
): Promise<Map<string, ListLine>> {
  const lines = new Map<string, ListLine>();
  for (const { text, place } of await readLines(root, file)) {
    const space = text.indexOf(' ');
    if (space < 0) throw malformed(root, place, text, `"<id> <${valueName}>"`);
    const key = text.slice(0, space);
    const earlier = lines.get(key);
    if (earlier !== undefined) {
      throw new DatasetError(
        'DATASET_ENTRY_DUPLICATE',
        `${place} of ${root} gives the id ${quote(key)} a second time (first: ${earlier.place})`,
      );
    }
    lines.set(key, { key, value: text.slice(space + 1).trim(), place });
  }
  return lines;
}

/** The classes of a list that has one name per line, in the order of their labels. */
export interface ClassList {
  readonly names: readonly string[];
  /** The number of the class that the line at `place` names. @throws DatasetError DATASET_ENTRY_UNKNOWN */
  numberOf(name: string, place: string): number;
}

/**
 * Reads a list of class names, one per line.
 * @param noun what a class is called, for messages
 * @throws DatasetError DATASET_LIST_UNREADABLE, DATASET_ENTRY_DUPLICATE
 */
export async function readClassNames(root: string, file: string, noun: string): Promise<ClassList> {
  const numbers = new Map<string, number>();
  for (const { text, place } of await readLines(root, file)) {
    if (numbers.has(text)) {
      throw new DatasetError(
        'DATASET_ENTRY_DUPLICATE',
        `${place} of ${root} names the class ${quote(text)} a second time`,
      );
    }
    numbers.set(text, numbers.size);
  }
  return {
    names: [...numbers.keys()],
    numberOf: (name, place) => {
      const number = numbers.get(name);
      if (number !== undefined) return number;
      throw new DatasetError(
        'DATASET_ENTRY_UNKNOWN',
        `${place} of ${root} names the ${noun} ${quote(name)}, which ${file} does not contain`,
      );
    },
  };
}

/** The error for a line that does not have its list's form. */
export function malformed(root: string, place: string, text: string, expected: string): DatasetError {
  return new DatasetError(
    'DATASET_LINE_MALFORMED',
    `${place} of ${root} is ${quote(text)}, expected ${expected}`,
  );
}

async function readText(root: string, file: string): Promise<string> {
  const bytes = await disk.readInput(path.join(root, file)).catch((cause) => {
    throw new DatasetError(
      'DATASET_LIST_UNREADABLE',
      `the list ${file} of the dataset ${root} ${whyUnread(cause)}`,
      { cause },
    );
  });
  const encoding = otherEncoding(bytes);
  if (encoding !== undefined) {
    throw new DatasetError(
      'DATASET_LIST_ENCODING',
      `the list ${file} of the dataset ${root} is ${encoding} but must be UTF-8: save it as UTF-8`,
    );
  }
  const text = bytes.toString('utf8');
  const zero = text.indexOf('\0');
  if (zero < 0) return text;
  const line = text.slice(0, zero).split(lineEnd).length;
  throw new DatasetError(
    'DATASET_LINE_MALFORMED',
    `${file}, line ${line} of ${root} contains a NUL byte, expected text; the file may be damaged`,
  );
}
