import { CheckpointError } from '../../checkpoint/error.js';
import type { Console } from '../../console/console.js';
import { type PictureList, readPictureList } from '../../data/picture-list.js';
import { unpackCodes } from '../../hashing/codes.js';
import { InferenceError } from '../../inference/error.js';
import { sayRejected } from '../../inference/open-encoder.js';
import { readTrainedRun, type TrainedRun } from '../../inference/trained-run.js';
import { type RunContent, readRunContent } from '../../inspection/runs/describe-run.js';
import { RunDirectory } from '../../run/run-directory.js';
import type { RunEvent } from '../../transport/events/run-event.js';
import { readEvents } from '../../transport/events/run-events.js';
import { ReportError } from '../error.js';
import { encodedQueries, picturesOfDataset } from './from-dataset.js';

/** Everything that a report says of a run, as its directory has it. */
export interface RunMaterial {
  /** The run's name in the report. */
  readonly name: string;
  readonly content: RunContent;
  readonly trained: TrainedRun;
  /** Whether its checkpoint is the best, not the newest. */
  readonly isBest: boolean;
  /** The dataset's folder. */
  readonly data: string;
  readonly pictures: PictureList;
  /** ±1 `[n, bits]` */
  readonly databaseCodes: Int8Array;
  /** ±1 `[queries, bits]` */
  readonly queryCodes: Int8Array;
  readonly events: readonly RunEvent[];
}

/**
 * Reads a run's directory without changing it, with the best checkpoint, or the newest where the best cannot be read.
 * The dataset is read, and the queries are encoded, only where the directory does not have what they give.
 * @param data the dataset's folder; undefined takes the run's
 * @throws ReportError REPORT_NOTHING, REPORT_NO_DATASET; the errors of reading run and checkpoint
 */
export async function readRunMaterial(
  path: string,
  data: string | undefined,
  console: Console,
  signal: AbortSignal,
): Promise<RunMaterial> {
  const { trained, isBest } = await bestOrNewest(path, console);
  if (trained.iterations === 0) {
    throw new ReportError(
      'REPORT_NOTHING',
      `${path} has no finished iteration yet, so there are no codes to report on`,
    );
  }
  const directory = RunDirectory.at(path);
  const content = await readRunContent(path);
  const { bits, dataset } = content.run.spec;
  const folder = data ?? dataset.path;
  const pictures =
    requireOwn(readPictureList(directory), trained, directory.picturesFile) ??
    (await picturesOfDataset(path, trained, folder, console, signal));
  return {
    name: content.run.metadata.name,
    content,
    trained,
    isBest,
    data: folder,
    pictures,
    databaseCodes: unpackCodes(trained.databaseCodes, trained.databaseSize, bits),
    queryCodes:
      trained.queryCodes ?? (await encodedQueries(path, trained, pictures, folder, console, signal)),
    events: readEvents(directory),
  };
}

async function bestOrNewest(
  path: string,
  { log }: Console,
): Promise<{ trained: TrainedRun; isBest: boolean }> {
  try {
    return { trained: await readTrainedRun(path, 'best'), isBest: true };
  } catch (error) {
    const isDamaged = error instanceof CheckpointError;
    // A run that was not evaluated yet has no best checkpoint.
    const isMissing = error instanceof InferenceError && error.code === 'INFERENCE_NO_CHECKPOINT';
    if (!isDamaged && !isMissing) throw error;
    if (isDamaged)
      log.warn('the best checkpoint cannot be used; taking the newest', { reason: error.message });
    const trained = await readTrainedRun(path, 'last');
    sayRejected(trained, log);
    return { trained, isBest: false };
  }
}

/** A list that was copied from another run would name wrong pictures. */
function requireOwn(list: PictureList | null, trained: TrainedRun, file: string): PictureList | null {
  if (list === null || list.fingerprint === trained.datasetFingerprint) return list;
  throw new ReportError(
    'REPORT_NO_DATASET',
    `${file} lists the pictures of the dataset ${list.fingerprint}, but the run was trained on ${trained.datasetFingerprint}; remove the file, and give the dataset with --data`,
  );
}
