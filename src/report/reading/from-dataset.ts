import path from 'node:path';
import type { Console } from '../../console/console.js';
import { lateProgress } from '../../console/late-progress.js';
import { digestMemory } from '../../data/content/digest-pictures.js';
import { loadDataset } from '../../data/dataset.js';
import { DatasetError } from '../../data/error.js';
import { readPicture } from '../../data/picture-file.js';
import { type PictureList, pictureListOf } from '../../data/picture-list.js';
import { shortDigest } from '../../errors.js';
import { unpackCodes, wordsPerCode } from '../../hashing/codes.js';
import { sayDifferences } from '../../inference/open-encoder.js';
import { TrainedNetwork } from '../../inference/trained-network.js';
import type { TrainedRun } from '../../inference/trained-run.js';
import { encodeBatchSize } from '../../schedule/encode-batches.js';
import { ReportError } from '../error.js';

/**
 * The images of a run's dataset, for a run directory that does not list them.
 * @param folder the dataset's
 * @throws ReportError REPORT_NO_DATASET when it is not there, or another one
 */
export async function picturesOfDataset(
  runPath: string,
  { spec, datasetFingerprint }: TrainedRun,
  folder: string,
  { log, startTask }: Console,
  signal: AbortSignal,
): Promise<PictureList> {
  const reading = lateProgress((total) => startTask({ name: 'reading', total, unit: 'images' }));
  const dataset = await withoutDataset(runPath, () =>
    loadDataset(folder, {
      memory: digestMemory(spec.operation.cache.directory, log),
      signal,
      onProgress: (what, done, total) => what === 'reading' && reading(done, total),
    }),
  );
  if (dataset.fingerprint !== datasetFingerprint) {
    throw new ReportError(
      'REPORT_NO_DATASET',
      `${runPath} was trained on a dataset with fingerprint ${shortDigest(datasetFingerprint)}, but ${folder} has ${shortDigest(dataset.fingerprint)}; --data names the folder of the run’s dataset`,
    );
  }
  return pictureListOf(dataset, folder);
}

/**
 * Codes of all queries, ±1 `[queries, bits]`, computed in this process: for a checkpoint that has none.
 * @throws ReportError REPORT_NO_DATASET when a picture is not there; EngineError
 */
export async function encodedQueries(
  runPath: string,
  trained: TrainedRun,
  { imagesFolder, test }: PictureList,
  folder: string,
  console: Console,
  signal: AbortSignal,
): Promise<Int8Array> {
  const total = test.paths.length;
  const { bits } = trained.spec;
  const words = wordsPerCode(bits);
  const codes = new Uint32Array(total * words);
  const network = await TrainedNetwork.load(trained);
  sayDifferences(network.differences, console.log);
  const task = console.startTask({ name: 'queries', total, unit: 'images' });
  try {
    for (let start = 0; start < total; start += encodeBatchSize) {
      signal.throwIfAborted();
      const files = test.paths
        .slice(start, start + encodeBatchSize)
        .map((image) => path.join(folder, imagesFolder, image));
      const pictures = await withoutDataset(runPath, () =>
        Promise.all(files.map(async (name) => ({ name, bytes: await readPicture(name) }))),
      );
      codes.set(await network.codesOfPictures(pictures), start * words);
      task.update(start + files.length);
    }
  } finally {
    task.finish();
    network.dispose();
  }
  return unpackCodes(codes, total, bits);
}

/** Says why the dataset is needed when it cannot be read. */
async function withoutDataset<Value>(runPath: string, read: () => Promise<Value>): Promise<Value> {
  try {
    return await read();
  } catch (cause) {
    if (!(cause instanceof DatasetError)) throw cause;
    throw new ReportError(
      'REPORT_NO_DATASET',
      `${runPath} does not have the classes of its images or the codes of all its queries, so its report needs the dataset, but ${cause.message}; --data names its folder`,
      { cause },
    );
  }
}
