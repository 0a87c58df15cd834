import path from 'node:path';
import type { Dataset, DatasetSplit } from '../../data/dataset.js';
import { decodeImage, decoderVersion } from '../../data/pixels.js';
import type { CacheFile } from './cache-file.js';
import { openInCacheFolder } from './cache-folder.js';

export interface ImageSourceOptions {
  dataset: Dataset;
  split: 'train' | 'test';
  /** side of the decoded pictures in pixels */
  imageSize: number;
  /** folder of packed files, shared by the workers of a host */
  cacheDirectory: string;
  /** bound on all packed files of the folder; 0 for no cache */
  cacheLimitBytes: number;
  /** told once, in a sentence, when there is no cache to be had */
  onNotice: (message: string) => void;
}

/** The pictures of one split as pixels. */
export interface ImageSource {
  /**
   * @param indices into the split, [count]
   * @returns uint8 pixels, [count, size, size, 3]
   * @throws DatasetError DATASET_IMAGE_MISSING, DATASET_IMAGE_DAMAGED
   */
  read(indices: Int32Array): Promise<Uint8Array<ArrayBuffer>>;
  /** Starts loading pictures that will be read soon; a failure shows when they are read. */
  prefetch(indices: Int32Array): void;
  /** pictures decoded from their files, and taken from the cache */
  readonly statistics: { decoded: number; cached: number };
  /** Ends after the writes under way; the source is not used afterwards. */
  close(): Promise<void>;
}

/** Pictures decoded at a time: enough to overlap reading with decoding without crowding the training's core. */
const PARALLEL_DECODES = 2;
/** Pictures fetched ahead and not read yet; the oldest go first (their microbatch went to another worker). */
const PREFETCH_BOUND_BYTES = 256 * 2 ** 20;

export async function openImageSource(options: ImageSourceOptions): Promise<ImageSource> {
  const { dataset, imageSize, cacheDirectory, cacheLimitBytes, onNotice } = options;
  const split = dataset[options.split];
  const answer = await openInCacheFolder(cacheDirectory, cacheLimitBytes, {
    fingerprint: dataset.fingerprint,
    split: split.name,
    imageSize,
    count: split.paths.length,
    decoder: decoderVersion,
  });
  if ('file' in answer) return new CachedImageSource(dataset, split, imageSize, answer.file, onNotice);
  onNotice(answer.refusal);
  return new CachedImageSource(dataset, split, imageSize, undefined, onNotice);
}

class CachedImageSource implements ImageSource {
  readonly statistics = { decoded: 0, cached: 0 };
  readonly #pixelBytes: number;
  readonly #fetched = new Map<number, Promise<Uint8Array>>();
  readonly #work = new Set<Promise<unknown>>();
  readonly #waiting: (() => void)[] = [];
  #decodes = 0;
  #writable = true;

  constructor(
    readonly dataset: Pick<Dataset, 'imagesRoot' | 'truncatedPictures'>,
    readonly split: DatasetSplit,
    readonly imageSize: number,
    readonly cache: CacheFile | undefined,
    readonly onNotice: (message: string) => void,
  ) {
    this.#pixelBytes = imageSize * imageSize * 3;
  }

  async read(indices: Int32Array): Promise<Uint8Array<ArrayBuffer>> {
    const pixels = new Uint8Array(indices.length * this.#pixelBytes);
    await Promise.all(
      Array.from(indices, async (index, place) => {
        const fetched = this.#fetched.get(index) ?? this.#track(this.#load(index));
        this.#fetched.delete(index);
        pixels.set(await fetched, place * this.#pixelBytes);
      }),
    );
    return pixels;
  }

  prefetch(indices: Int32Array): void {
    const bound = Math.max(1, Math.floor(PREFETCH_BOUND_BYTES / this.#pixelBytes));
    for (const index of indices) {
      if (this.#fetched.has(index)) continue;
      this.#fetched.set(index, this.#track(this.#load(index)));
      if (this.#fetched.size > bound) this.#fetched.delete(this.#fetched.keys().next().value!);
    }
  }

  async close(): Promise<void> {
    // Loads may start writes, so this waits until nothing is left.
    while (this.#work.size > 0) await Promise.allSettled(this.#work);
    await this.cache?.close();
  }

  async #load(index: number): Promise<Uint8Array> {
    const file = this.split.paths[index];
    if (file === undefined) {
      throw new RangeError(`image ${index} of the ${this.split.name} split of ${this.split.paths.length}`);
    }
    const cached = await this.cache?.read(index);
    if (cached !== undefined) {
      this.statistics.cached += 1;
      return cached;
    }
    const pixels = await this.#decode(path.join(this.dataset.imagesRoot, file));
    this.statistics.decoded += 1;
    if (this.cache !== undefined && this.#writable) this.#track(this.#store(this.cache, index, pixels));
    return pixels;
  }

  async #decode(file: string): Promise<Uint8Array> {
    if (this.#decodes === PARALLEL_DECODES) await new Promise<void>((resume) => this.#waiting.push(resume));
    else this.#decodes += 1;
    try {
      return await decodeImage(file, this.imageSize, this.dataset.truncatedPictures);
    } finally {
      // The place passes straight to the next in line, so that nobody can slip in between.
      const next = this.#waiting.shift();
      if (next === undefined) this.#decodes -= 1;
      else next();
    }
  }

  async #store(cache: CacheFile, index: number, pixels: Uint8Array): Promise<void> {
    try {
      await cache.write(index, pixels);
    } catch (error) {
      if (!this.#writable) return;
      this.#writable = false;
      this.onNotice(
        `the image cache takes no more images (${(error as NodeJS.ErrnoException).code ?? error}), so those it lacks are decoded each time`,
      );
    }
  }

  /** Keeps `close` waiting and a rejection from counting as unhandled before somebody reads the picture. */
  #track<Result>(work: Promise<Result>): Promise<Result> {
    this.#work.add(work);
    const done = () => void this.#work.delete(work);
    work.then(done, done);
    return work;
  }
}
