import { createHash } from 'node:crypto';
import type { Console } from '../console/console.js';
import { onInterrupt } from '../console/interrupt.js';
import type { ProgressTask } from '../console/progress.js';
import { disk } from '../disk/disk.js';
import { type EngineChoiceOptions, openEncoder } from '../inference/open-encoder.js';
import { type CheckpointChoice, readTrainedRun, type TrainedRun } from '../inference/trained-run.js';
import { whileHeld } from '../run/held-path.js';
import { isThere } from '../run/presence.js';
import { bytesOf } from '../transport/bytes.js';
import type { CodeFormat } from './code-format.js';
import { encodePictures } from './encode-pictures.js';
import { EncodingError } from './error.js';
import { listPictures } from './list-pictures.js';
import { writeCodes } from './write-codes.js';

export interface EncodeRunOptions extends EngineChoiceOptions {
  /** `runs/NAME` */
  readonly runDirectory: string;
  readonly checkpoint: CheckpointChoice;
  /** A folder of pictures, or a list of them. */
  readonly pictures: string;
  readonly output: string;
  readonly format: CodeFormat;
}

/** What was written. */
export interface EncodedPictures {
  readonly pictures: number;
  readonly bits: number;
  readonly checkpoint: string;
  readonly files: readonly string[];
}

/**
 * Writes the codes of pictures that a run has not seen. Interrupted work goes on where it was, and the files get the
 * same bytes.
 * @throws EncodingError; InferenceError; DatasetError for a picture that cannot be read; RunFileError RUN_LOCKED while another
 * process encodes to the same file
 */
export async function encodeRun(options: EncodeRunOptions, console: Console): Promise<EncodedPictures> {
  const { output } = options;
  if (isThere(output)) {
    throw new EncodingError(
      'ENCODING_OUTPUT_EXISTS',
      `${output} exists already; remove it, or choose another file with --output`,
    );
  }
  return whileHeld(output, unwritable, () => encodeTo(output, options, console));
}

function unwritable(sentence: string, cause: unknown): EncodingError {
  return new EncodingError(
    'ENCODING_OUTPUT_UNUSABLE',
    `${sentence}, expected a folder that exists and can be written to`,
    { cause },
  );
}

async function encodeTo(
  output: string,
  options: EncodeRunOptions,
  console: Console,
): Promise<EncodedPictures> {
  const { format } = options;
  const journal = `${output}.partial`;
  const stop = new AbortController();
  const restoreSignals = onInterrupt(() => stop.abort());
  let done = 0;
  let task: ProgressTask | null = null;
  try {
    const run = await readTrainedRun(options.runDirectory, options.checkpoint);
    const { bits } = run.layout;
    const pictures = await listPictures(options.pictures);
    const total = pictures.paths.length;
    const onProgress = (count: number) => {
      if (task === null && count > 0) console.log.info('going on with earlier codes', { journal, count });
      done = count;
      task ??= console.startTask({ name: 'encoding', total, unit: 'images' });
      task.update(count);
      if (count === total) task.finish();
    };
    const { encoder, engine } = await openEncoder(run, options, console.log);
    try {
      const work = {
        networkSha256: networkDigest(run),
        picturesSha256: createHash('sha256').update(pictures.paths.join('\n')).digest('hex'),
        bits,
        engine,
      };
      const { signal } = stop;
      const codes = await encodePictures({ pictures, work, journal, encoder, onProgress, signal });
      const files = await writeCodes(output, format, codes, bits, pictures.paths);
      await disk.remove(journal);
      return { pictures: total, bits, checkpoint: run.checkpoint, files };
    } finally {
      await encoder.close();
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    const kept = done === 0 ? 'nothing was written' : `the codes of ${done} pictures are in ${journal}`;
    throw new EncodingError(
      'ENCODING_INTERRUPTED',
      `the encoding was interrupted; ${kept}, and the same command goes on`,
    );
  } finally {
    restoreSignals();
  }
}

/** SHA-256 (hex) of what determines codes besides pictures and engine. */
function networkDigest({ weights, hash, spec }: TrainedRun): string {
  const { model, bits, method, wire, augmentation, dataset } = spec;
  const settings = [model, bits, method, wire.precision, augmentation.crop, dataset.kind];
  const digest = createHash('sha256').update(JSON.stringify(settings));
  const { parameters, mean, variance } = weights;
  for (const values of [parameters, mean, variance]) digest.update(bytesOf(values));
  for (const { data } of Object.values(hash ?? {})) digest.update(bytesOf(data));
  return digest.digest('hex');
}
