import { join } from 'node:path';
import type { Log } from '../console/log.js';
import { digestMemory } from '../data/content/digest-pictures.js';
import { loadDataset } from '../data/dataset.js';
import { type PictureList, pictureListOf, readPictureList } from '../data/picture-list.js';
import { disk } from '../disk/disk.js';
import { whyUnread } from '../disk/input-file.js';
import { shortDigest } from '../errors.js';
import { packedCodesOfBytes } from '../formats/code-bytes.js';
import { pathsFileOf } from '../formats/paths-file.js';
import { readNpyCodes } from '../formats/read-codes.js';
import type { TrainedRun } from '../inference/trained-run.js';
import { RunDirectory } from '../run/run-directory.js';
import { SearchError } from './error.js';

/** A picture of the database. */
export interface DatabasePicture {
  /** As its list names it. */
  readonly path: string;
  /** Name of its class; null where the database has no classes. */
  readonly className: string | null;
  /** Its file; null where the folder of the pictures is not known. */
  readonly file: string | null;
}

/** Codes that can be searched, and their pictures. */
export interface Database {
  /** Packed `[size, wordsPerCode(bits)]` */
  readonly codes: Uint32Array;
  readonly size: number;
  readonly bits: number;
  /** @param row below `size` */
  picture(row: number): DatabasePicture;
}

/** Which database is searched. */
export interface DatabaseOptions {
  /** A file of codes that `fcaenet encode` has written; undefined takes the images that the run was trained on. */
  readonly database: string | undefined;
  /** The folder of the pictures; undefined takes the run's dataset, and knows no folder of a file of codes. */
  readonly data: string | undefined;
}

/**
 * Opens the database of a search. Reads no picture, unless the run is of a version that kept no list of them.
 * @throws SearchError; FormatError FORMAT_CODE_FILE; the errors of reading the list of pictures or the dataset
 */
export function openDatabase(run: TrainedRun, options: DatabaseOptions, log: Log): Promise<Database> {
  return options.database === undefined
    ? databaseOfRun(run, options.data ?? run.spec.dataset.path, log)
    : databaseOfFile(run, options.database, options.data ?? null);
}

async function databaseOfRun(run: TrainedRun, folder: string, log: Log): Promise<Database> {
  const list = readPictureList(RunDirectory.at(run.directory)) ?? (await listOf(run, folder, log));
  if (list.fingerprint !== run.datasetFingerprint || list.train.paths.length !== run.databaseSize) {
    throw new SearchError(
      'SEARCH_OTHER_DATASET',
      `checkpoint ${run.checkpoint} was trained on ${run.databaseSize} images with fingerprint ${shortDigest(run.datasetFingerprint)}, but the list of pictures has ${list.train.paths.length} with ${shortDigest(list.fingerprint)}: they belong to different datasets`,
    );
  }
  const { paths, labels } = list.train;
  return {
    codes: run.databaseCodes,
    size: run.databaseSize,
    bits: run.layout.bits,
    picture: (row) => ({
      path: paths[row]!,
      className: list.classNames[labels[row]!]!,
      file: join(folder, list.imagesFolder, paths[row]!),
    }),
  };
}

async function listOf({ spec }: TrainedRun, folder: string, log: Log): Promise<PictureList> {
  const memory = digestMemory(spec.operation.cache.directory, log);
  return pictureListOf(await loadDataset(folder, { memory }), folder);
}

async function databaseOfFile(run: TrainedRun, file: string, folder: string | null): Promise<Database> {
  const { bits } = run.layout;
  const bytes = readNpyCodes(await readFileOf(file, 'the file of codes'), bits, file);
  const codes = packedCodesOfBytes(bytes, bits);
  const pathsFile = pathsFileOf(file);
  const text = (await readFileOf(pathsFile, 'the list of paths')).toString('utf8');
  const paths = text.split('\n').slice(0, -1);
  const size = bytes.length / ((bits + 7) >>> 3);
  if (paths.length !== size) {
    throw new SearchError(
      'SEARCH_PATHS_DIFFER',
      `${pathsFile} has ${paths.length} lines, but ${file} has ${size} codes, expected a path for each`,
    );
  }
  return {
    codes,
    size,
    bits,
    picture: (row) => ({
      path: paths[row]!,
      className: null,
      file: folder === null ? null : join(folder, paths[row]!),
    }),
  };
}

function readFileOf(path: string, what: string): Promise<Buffer> {
  return disk.readInput(path).catch((cause) => {
    throw new SearchError(
      'SEARCH_DATABASE_UNREADABLE',
      `${what} ${path} ${whyUnread(cause)}, expected what "fcaenet encode" writes`,
      {
        cause,
      },
    );
  });
}
