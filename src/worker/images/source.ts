import type { Dataset } from '../../data/dataset.js';
import { decoderVersion } from '../../data/pixels.js';
import { KeyedRandom } from '../../data/random.js';
import type { ViewKey } from '../../data/views.js';
import type { Augmentation } from '../../run/training-run.js';
import { openInCacheFolder } from './cache-folder.js';
import { PictureLoader } from './picture-loader.js';
import { type RowViews, viewOfRow } from './rows.js';

export interface ImageSourceOptions {
  dataset: Dataset;
  split: 'train' | 'test';
  /** side of the network's input, in pixels */
  imageSize: number;
  augmentation: Augmentation;
  /** of the run, for the views of training rows */
  seed: number;
  /** folder of packed files, shared by the workers of a host */
  cacheDirectory: string;
  /** limit of all packed files of the folder together; 0 for no cache */
  cacheLimitBytes: number;
  /** pictures that are decoded at the same time, at least 1 */
  parallelDecodes: number;
  /** called once, with a sentence, when no cache can be used */
  onNotice: (message: string) => void;
}

/** The pictures of one split as pixels. */
export interface ImageSource {
  /**
   * @param indices into the split, [count]
   * @param views of training rows; null for the query view
   * @returns uint8 pixels, [count, size, size, 3]
   * @throws DatasetError DATASET_IMAGE_MISSING, DATASET_IMAGE_CHANGED, DATASET_IMAGE_DAMAGED
   */
  read(indices: Int32Array, views: RowViews | null): Promise<Uint8Array<ArrayBuffer>>;
  /** Starts to load pictures that will be read soon. `read` reports a failure. */
  prefetch(indices: Int32Array, views: RowViews | null): void;
  /** pictures decoded from their files, and pictures read from the cache */
  readonly statistics: { readonly decoded: number; readonly cached: number };
  /** Resolves after the running writes. The source cannot be used afterwards. */
  close(): Promise<void>;
}

/**
 * Limit of prefetched pictures that are not read yet. The oldest are dropped first: another worker got their
 * microbatch.
 */
const prefetchBoundBytes = 256 * 2 ** 20;

/** Opens the pictures of a split in this thread. */
export async function openImageSource(options: ImageSourceOptions): Promise<ImageSource> {
  const { dataset, imageSize, augmentation, seed, cacheDirectory, cacheLimitBytes } = options;
  const { parallelDecodes, onNotice } = options;
  const split = dataset[options.split];
  const form = { crop: augmentation.crop, imageSize };
  const answer = await openInCacheFolder(cacheDirectory, cacheLimitBytes, {
    fingerprint: dataset.fingerprint,
    split: split.name,
    ...form,
    count: split.paths.length,
    decoder: decoderVersion,
  });
  const cache = 'file' in answer ? answer.file : undefined;
  if ('problem' in answer) onNotice(answer.problem);
  const random = new KeyedRandom(seed);
  return new FetchingSource(
    new PictureLoader({ dataset, split, form, augmentation, random, cache, parallelDecodes, onNotice }),
    imageSize ** 2 * 3,
  );
}

class FetchingSource implements ImageSource {
  private readonly fetched = new Map<string, Promise<Uint8Array>>();
  private readonly work = new Set<Promise<unknown>>();

  constructor(
    private readonly loader: PictureLoader,
    private readonly pixelBytes: number,
  ) {}

  get statistics() {
    return this.loader.statistics;
  }

  async read(indices: Int32Array, views: RowViews | null): Promise<Uint8Array<ArrayBuffer>> {
    const pixels = new Uint8Array(indices.length * this.pixelBytes);
    await Promise.all(
      Array.from(indices, async (index, row) => {
        const view = viewOfRow(views, row);
        const name = nameOf(index, view);
        const fetched = this.fetched.get(name) ?? this.track(this.loader.load(index, view));
        this.fetched.delete(name);
        pixels.set(await fetched, row * this.pixelBytes);
      }),
    );
    return pixels;
  }

  prefetch(indices: Int32Array, views: RowViews | null): void {
    const bound = Math.max(1, Math.floor(prefetchBoundBytes / this.pixelBytes));
    indices.forEach((index, row) => {
      const view = viewOfRow(views, row);
      const name = nameOf(index, view);
      if (this.fetched.has(name)) return;
      this.fetched.set(name, this.track(this.loader.load(index, view)));
      if (this.fetched.size > bound) this.fetched.delete(this.fetched.keys().next().value!);
    });
  }

  async close(): Promise<void> {
    // Loads may start writes, so the loader is closed when nothing is left.
    while (this.work.size > 0) await Promise.allSettled(this.work);
    await this.loader.close();
  }

  /** Keeps `close` waiting and a rejection from counting as unhandled before somebody reads the picture. */
  private track<Result>(work: Promise<Result>): Promise<Result> {
    this.work.add(work);
    const done = () => void this.work.delete(work);
    work.then(done, done);
    return work;
  }
}

function nameOf(index: number, view: ViewKey | null): string {
  return view === null
    ? String(index)
    : `${index} ${view.purpose} ${view.iteration} ${view.epoch} ${view.anchor}`;
}
