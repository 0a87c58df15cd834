import type { Log } from '../console/log.js';
import { wordsPerCode } from '../hashing/codes.js';
import { LocalEncoder } from '../inference/encoder.js';
import { sayDifferences, sayRejected } from '../inference/open-encoder.js';
import { TrainedNetwork } from '../inference/trained-network.js';
import { type CheckpointChoice, readTrainedRun } from '../inference/trained-run.js';
import type { EngineName } from '../run/training-run.js';
import { type Database, type DatabaseOptions, openDatabase } from './database.js';
import { type Found, hexOfCode, Searcher } from './searcher.js';

export interface SearchRunOptions extends DatabaseOptions {
  /** `runs/NAME` */
  readonly runDirectory: string;
  readonly checkpoint: CheckpointChoice;
  /** Undefined takes the run's. */
  readonly engine: 'auto' | EngineName | undefined;
  /** Files of pictures. */
  readonly images: readonly string[];
  readonly top: number;
}

/** What a search found for one picture. */
export interface SearchResult {
  readonly image: string;
  /** Hexadecimal digits of the code's bytes. */
  readonly code: string;
  readonly nearest: readonly Found[];
}

/** Images whose codes are computed at once. */
const imagesPerRequest = 64;

/**
 * Finds the pictures of a database that are nearest to images.
 * @throws InferenceError, EngineError, SearchError, FormatError; DatasetError for an image that cannot be read
 */
export async function searchRun(
  options: SearchRunOptions,
  log: Log,
): Promise<{ results: SearchResult[]; database: Database }> {
  const run = await readTrainedRun(options.runDirectory, options.checkpoint);
  sayRejected(run, log);
  const database = await openDatabase(run, options, log);
  const searcher = new Searcher(database);
  const trained = await TrainedNetwork.load(run, options.engine);
  sayDifferences(trained.differences, log);
  const encoder = new LocalEncoder(trained);
  try {
    const results: SearchResult[] = [];
    const words = wordsPerCode(database.bits);
    for (let start = 0; start < options.images.length; start += imagesPerRequest) {
      const images = options.images.slice(start, start + imagesPerRequest);
      const codes = await encoder.encode(images);
      for (const [query, image] of images.entries()) {
        const code = hexOfCode(codes.subarray(query * words, (query + 1) * words), database.bits);
        results.push({ image, code, nearest: searcher.nearest(codes, query, options.top) });
      }
    }
    return { results, database };
  } finally {
    await encoder.close();
  }
}
