import { join, resolve } from 'node:path';
import { bytesOfPackedCodes, bytesPerCode } from '../formats/code-bytes.js';
import type { Encoder } from '../inference/encoder.js';
import { encodeBatches, encodeBatchSize } from '../schedule/encode-batches.js';
import { type EncodeWork, Journal } from './journal.js';
import type { FoundPictures } from './list-pictures.js';

export interface EncodePicturesOptions {
  readonly pictures: FoundPictures;
  readonly work: EncodeWork;
  /** The journal's path. */
  readonly journal: string;
  readonly encoder: Encoder;
  /** Called with the number of pictures that have codes, first with those of an earlier process. */
  readonly onProgress: (done: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Encodes pictures in the batches of a run's evaluation, and notes the codes of each batch before it counts.
 * @returns `[pictures, bytesPerCode(bits)]`; rejects with the signal's reason when aborted
 * @throws EncodingError of the journal; DatasetError DATASET_IMAGE_MISSING, DATASET_IMAGE_DAMAGED: what was encoded
 * before stays in the journal
 */
export async function encodePictures(options: EncodePicturesOptions): Promise<Uint8Array> {
  const { pictures, work, encoder, onProgress, signal } = options;
  const { root, paths } = pictures;
  const { bits } = work;
  const width = bytesPerCode(bits);
  const batches = Array.from({ length: encodeBatches(paths.length) }, (_, batch) =>
    paths.slice(batch * encodeBatchSize, (batch + 1) * encodeBatchSize),
  );
  const codes = new Uint8Array(paths.length * width);
  const sizes = batches.map((batch) => batch.length * width);
  const journal = await Journal.open(options.journal, work, sizes, codes);
  const countDone = () => onProgress(Math.min(paths.length, journal.batches * encodeBatchSize));
  const interrupted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  interrupted.catch(() => {});
  try {
    countDone();
    const coming: Promise<Uint32Array>[] = [];
    for (let next = journal.batches; journal.batches < batches.length; ) {
      signal.throwIfAborted();
      for (; next < batches.length && coming.length < encoder.requests; next++) {
        const encoding = encoder.encode(batches[next]!.map((path) => join(resolve(root), path)));
        // Only the failure of the oldest is reported.
        encoding.catch(() => {});
        coming.push(encoding);
      }
      const start = journal.batches * encodeBatchSize * width;
      const encoded = bytesOfPackedCodes(await Promise.race([coming.shift()!, interrupted]), bits);
      await journal.append(encoded);
      codes.set(encoded, start);
      countDone();
    }
    return codes;
  } finally {
    await journal.close();
  }
}
