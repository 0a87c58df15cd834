import type { ListedPictures, PictureList } from '../data/picture-list.js';
import { readPictureList } from '../data/picture-list.js';
import { ExitCode, shortDigest } from '../errors.js';
import { bytesPerCode, codeBytes } from '../formats/code-bytes.js';
import { encodeCsv } from '../formats/csv.js';
import { encodeFaissIndex } from '../formats/faiss.js';
import { encodeNpy } from '../formats/npy.js';
import { unpackCodes } from '../hashing/codes.js';
import type { TrainedRun } from '../inference/trained-run.js';
import { RunDirectory } from '../run/run-directory.js';
import { ExportError } from './error.js';
import type { ExportedFile } from './files.js';

/** The codes of a split, and the image of each. */
export interface CodedSplit {
  readonly name: 'database' | 'queries';
  /** ±1 `[images, bits]` */
  readonly codes: Int8Array;
  readonly pictures: ListedPictures;
}

export interface RunCodes {
  readonly bits: number;
  readonly classNames: readonly string[];
  /** The database, and the queries if the checkpoint has their codes. */
  readonly splits: readonly CodedSplit[];
}

/**
 * The codes of a run with the images that they belong to.
 * @throws ExportError `EXPORT_NO_PICTURES`, `EXPORT_PICTURES_DIFFER`; the errors of `readPictureList`
 */
export function codesOfRun(run: TrainedRun): RunCodes {
  const { spec, databaseCodes, databaseSize, queryCodes } = run;
  const list = picturesOf(run);
  const database: CodedSplit = {
    name: 'database',
    codes: unpackCodes(databaseCodes, databaseSize, spec.bits),
    pictures: list.train,
  };
  const queries: CodedSplit | null = queryCodes && {
    name: 'queries',
    codes: queryCodes,
    pictures: list.test,
  };
  const splits = queries ? [database, queries] : [database];
  for (const { name, codes, pictures } of splits) {
    const count = codes.length / spec.bits;
    if (pictures.paths.length === count) continue;
    throw new ExportError(
      'EXPORT_PICTURES_DIFFER',
      `${run.directory} has codes of ${count} images of the ${name}, but its pictures.json names ${pictures.paths.length}`,
    );
  }
  return { bits: spec.bits, classNames: list.classNames, splits };
}

function picturesOf({ directory, datasetFingerprint }: TrainedRun): PictureList {
  const list = readPictureList(RunDirectory.at(directory));
  if (list === null) {
    throw new ExportError(
      'EXPORT_NO_PICTURES',
      `${directory} has no pictures.json, so nothing says which image each code belongs to; fcaenet writes it since version 0.1.0, and --resume of an unfinished run adds it`,
      { exitCode: ExitCode.missingInput },
    );
  }
  if (list.fingerprint !== datasetFingerprint) {
    throw new ExportError(
      'EXPORT_PICTURES_DIFFER',
      `pictures.json of ${directory} lists the dataset ${shortDigest(list.fingerprint)}, but its codes are of ${shortDigest(datasetFingerprint)}`,
    );
  }
  return list;
}

/**
 * Codes for NumPy and for tables: for each split `NAME.codes.npy`, uint8 `[images, bytes]` (see `codeBytes`),
 * `NAME.labels.npy`, int32 `[images]`, and `NAME.csv`.
 */
export function arrayFiles({ bits, classNames, splits }: RunCodes): ExportedFile[] {
  return splits.flatMap((split) => {
    const { name, codes, pictures } = split;
    const count = pictures.paths.length;
    return [
      {
        name: `${name}.codes.npy`,
        pieces: encodeNpy(codeBytes(codes, bits), [count, bytesPerCode(bits)]),
      },
      { name: `${name}.labels.npy`, pieces: encodeNpy(Int32Array.from(pictures.labels), [count]) },
      tableOf(split, bits, classNames),
    ];
  });
}

/**
 * The database as a FAISS index, `database.faiss`, and the image of each of its ids, `database.csv`; the queries as
 * `queries.codes.npy` and `queries.csv`.
 */
export function faissFiles({ bits, classNames, splits }: RunCodes): ExportedFile[] {
  return splits.flatMap((split) => {
    const { name, codes, pictures } = split;
    const bytes = codeBytes(codes, bits);
    const own =
      name === 'database'
        ? { name: 'database.faiss', pieces: encodeFaissIndex(bytes, bits) }
        : {
            name: 'queries.codes.npy',
            pieces: encodeNpy(bytes, [pictures.paths.length, bytesPerCode(bits)]),
          };
    return [own, tableOf(split, bits, classNames)];
  });
}

/** A line for each image, in the order of the codes. */
function tableOf({ name, codes, pictures }: CodedSplit, bits: number, classNames: readonly string[]) {
  const rows = pictures.paths.map((path, row) => {
    const label = pictures.labels[row]!;
    const own = codes.subarray(row * bits, (row + 1) * bits);
    return [row, path, label, classNames[label]!, Array.from(own, (sign) => Number(sign > 0)).join('')];
  });
  const text = encodeCsv(['id', 'path', 'label', 'class', 'code'], rows);
  return { name: `${name}.csv`, pieces: [Buffer.from(text)] };
}
