import path from 'node:path';
import sharp from 'sharp';
import { disk } from '../../disk/disk.js';
import { whyUnread } from '../../disk/input-file.js';
import { diskWatch } from '../../disk/watch.js';
import { FcaenetError } from '../../errors.js';
import { whileHeld } from '../../run/held-path.js';
import { isAbsence } from '../../run/presence.js';
import { DatasetError } from '../error.js';
import { KeyedRandom } from '../random.js';
import { paintScene } from './scene.js';
import { checkSettings, type SyntheticSettings } from './settings.js';
import { speciesName } from './species.js';

/** Changes whenever the same settings give other files. */
const formatVersion = 1;
/** Says whose folder it is: written before the first picture, and marked complete after the last. */
const stampFile = 'synthetic.json';
const jpegQuality = 92;
/** Pictures of the test split are numbered from here, so that they do not change with the size of the train split. */
const firstTestPicture = 2 ** 31;

interface Picture {
  species: number;
  picture: number;
  /** below images/ */
  file: string;
  train: boolean;
}

/**
 * Writes the synthetic fine-grained dataset in the layout of CUB-200-2011: species of birds that share shape, poses,
 * plumage and background, and differ in the colours of five small parts. A folder that already has this dataset is left
 * unchanged. An incomplete or other synthetic dataset is written again.
 * @param onProgress called after each picture
 * @throws DatasetError DATASET_SETTINGS, DATASET_FOLDER_OCCUPIED for a folder with other content, or
 * DATASET_FOLDER_UNWRITABLE; RunFileError RUN_LOCKED while another process writes it
 */
export async function makeSyntheticDataset(
  directory: string,
  settings: SyntheticSettings,
  onProgress?: (done: number, total: number) => void,
): Promise<void> {
  checkSettings(settings);
  const found = await stampOf(directory);
  if (found === stampText(settings, true)) return;
  if (found === undefined) await requireEmptyFolder(directory);
  try {
    await disk.makeFolder(directory);
    // In the folder: the one around it may not be writable.
    const lockFile = path.join(directory, 'synthetic.lock');
    await whileHeld(directory, unwritable, () => write(directory, settings, onProgress), lockFile);
  } catch (cause) {
    if (cause instanceof FcaenetError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    throw unwritable(`${directory} cannot be written (${code ?? String(cause)})`, cause);
  }
}

async function write(
  directory: string,
  settings: SyntheticSettings,
  onProgress: ((done: number, total: number) => void) | undefined,
): Promise<void> {
  const complete = stampText(settings, true);
  // Another process may have finished it before this one had the lock.
  if ((await stampOf(directory)) === complete) return;
  await disk.writeFile(path.join(directory, stampFile), stampText(settings, false));
  await disk.remove(path.join(directory, 'images'));
  const pictures = plan(settings);
  await writePictures(path.join(directory, 'images'), pictures, settings, onProgress);
  await writeLists(directory, pictures, settings.species);
  await disk.writeFile(path.join(directory, stampFile), complete);
}

function unwritable(sentence: string, cause: unknown): DatasetError {
  return new DatasetError('DATASET_FOLDER_UNWRITABLE', sentence, { cause });
}

/** Whether a folder is a synthetic dataset, which has no official counts. */
export async function isSyntheticDataset(directory: string): Promise<boolean> {
  return (await stampOf(directory)) !== undefined;
}

function stampText(settings: SyntheticSettings, complete: boolean): string {
  const { species, trainPerSpecies, testPerSpecies, size, seed } = settings;
  const stamp = { version: formatVersion, complete, species, trainPerSpecies, testPerSpecies, size, seed };
  return `${JSON.stringify(stamp, undefined, 2)}\n`;
}

async function stampOf(directory: string): Promise<string | undefined> {
  const stamp = path.join(directory, stampFile);
  const bytes = await disk.readInput(stamp).catch((cause) => {
    if (isAbsence(cause)) return undefined;
    throw new DatasetError('DATASET_FOLDER_OCCUPIED', `${stamp} ${whyUnread(cause)}`, { cause });
  });
  return bytes?.toString('utf8');
}

async function requireEmptyFolder(directory: string): Promise<void> {
  let entries: string[];
  try {
    entries = await disk.readdir(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw new DatasetError(
      'DATASET_FOLDER_OCCUPIED',
      `${directory} is not a readable folder (${(error as NodeJS.ErrnoException).code})`,
      { cause: error },
    );
  }
  if (entries.length > 0) {
    throw new DatasetError(
      'DATASET_FOLDER_OCCUPIED',
      `the folder ${directory} has ${entries.length} other entries (such as ${entries.sort()[0]}), expected an empty or new folder`,
    );
  }
}

function plan({ species, trainPerSpecies, testPerSpecies }: SyntheticSettings): Picture[] {
  return Array.from({ length: species }, (_, bird) => {
    const name = speciesName(bird);
    const file = (number: number) => `${name}/${name.slice(4)}_${String(number).padStart(5, '0')}.jpg`;
    const train = Array.from({ length: trainPerSpecies }, (_, picture) => ({
      species: bird,
      picture,
      file: file(picture + 1),
      train: true,
    }));
    const test = Array.from({ length: testPerSpecies }, (_, picture) => ({
      species: bird,
      picture: firstTestPicture + picture,
      file: file(trainPerSpecies + picture + 1),
      train: false,
    }));
    return [...train, ...test];
  }).flat();
}

async function writePictures(
  imagesRoot: string,
  pictures: readonly Picture[],
  { species, size, seed }: SyntheticSettings,
  onProgress: ((done: number, total: number) => void) | undefined,
): Promise<void> {
  const random = new KeyedRandom(seed);
  for (let bird = 0; bird < species; bird += 1) {
    await disk.makeFolder(path.join(imagesRoot, speciesName(bird)));
  }
  let done = 0;
  let writing: Promise<void> = Promise.resolve();
  try {
    for (const { species: bird, picture, file } of pictures) {
      const pixels = paintScene(random, bird, picture, size);
      // The next picture is painted while this one is compressed and written.
      await writing;
      writing = writeJpeg(path.join(imagesRoot, file), pixels, size);
      done += 1;
      onProgress?.(done, pictures.length);
    }
  } finally {
    // No write continues after this function has ended.
    await writing;
  }
}

async function writeJpeg(file: string, pixels: Uint8Array, size: number): Promise<void> {
  const jpeg = await diskWatch.until(
    'encode',
    file,
    sharp(pixels, { raw: { width: size, height: size, channels: 3 } })
      .jpeg({ quality: jpegQuality, chromaSubsampling: '4:4:4' })
      .toBuffer(),
  );
  await disk.writeFile(file, jpeg);
}

async function writeLists(directory: string, pictures: readonly Picture[], species: number): Promise<void> {
  const list = (line: (picture: Picture) => string | number) =>
    pictures.map((picture, index) => `${index + 1} ${line(picture)}\n`).join('');
  const classes = Array.from({ length: species }, (_, bird) => `${bird + 1} ${speciesName(bird)}\n`);
  await disk.writeFile(
    path.join(directory, 'images.txt'),
    list(({ file }) => file),
  );
  await disk.writeFile(
    path.join(directory, 'image_class_labels.txt'),
    list((picture) => picture.species + 1),
  );
  await disk.writeFile(
    path.join(directory, 'train_test_split.txt'),
    list(({ train }) => (train ? 1 : 0)),
  );
  await disk.writeFile(path.join(directory, 'classes.txt'), classes.join(''));
}
