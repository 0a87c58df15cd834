import path from 'node:path';
import { sha256 } from '../../data/content/digest-pictures.js';
import { type Dataset, type DatasetSplit, hexOf } from '../../data/dataset.js';
import { DatasetError } from '../../data/error.js';
import { readPicture } from '../../data/picture-file.js';
import type { KeyedRandom } from '../../data/random.js';
import {
  packPicture,
  renderView,
  type StoredForm,
  type StoredPicture,
  storePicture,
  unpackPicture,
} from '../../data/stored-picture.js';
import { queryView, trainingView, type ViewKey } from '../../data/views.js';
import { DiskError } from '../../disk/error.js';
import { shortDigest } from '../../errors.js';
import type { Augmentation } from '../../run/training-run.js';
import type { CacheFile } from './cache-file.js';

export interface PictureLoaderOptions {
  readonly dataset: Pick<Dataset, 'imagesRoot' | 'truncatedPictures'>;
  readonly split: DatasetSplit;
  readonly form: StoredForm;
  readonly augmentation: Augmentation;
  /** of the run, for the views of training rows */
  readonly random: KeyedRandom;
  /** undefined decodes each time */
  readonly cache: CacheFile | undefined;
  /** pictures that are decoded at the same time, at least 1 */
  readonly parallelDecodes: number;
  /** called once, when the cache accepts no more images */
  readonly onNotice: (message: string) => void;
}

/** Loads pictures from their files or the cache, and makes the views that rows use. */
export class PictureLoader {
  readonly statistics = { decoded: 0, cached: 0 };
  /** Pictures on their way: rows that see different parts of one share it. */
  private readonly coming = new Map<number, Promise<StoredPicture>>();
  private readonly writes = new Set<Promise<void>>();
  private readonly waiting: (() => void)[] = [];
  private decodes = 0;
  private readable = true;
  private writable = true;

  constructor(private readonly options: PictureLoaderOptions) {}

  /**
   * @param key of a training row's view; null for the query view
   * @returns uint8 `[imageSize, imageSize, 3]`
   * @throws DatasetError DATASET_IMAGE_MISSING, DATASET_IMAGE_CHANGED, DATASET_IMAGE_DAMAGED
   */
  async load(index: number, key: ViewKey | null): Promise<Uint8Array> {
    const { augmentation, form, random } = this.options;
    const picture = await this.picture(index);
    const view = key
      ? trainingView(random, key, augmentation, picture)
      : queryView(augmentation, picture, form.imageSize);
    return renderView(picture, view, form.imageSize);
  }

  /** Resolves after the running writes. */
  async close(): Promise<void> {
    await Promise.all(this.writes);
    await this.options.cache?.close();
  }

  private picture(index: number): Promise<StoredPicture> {
    const coming = this.coming.get(index);
    if (coming) return coming;
    const picture = this.fetch(index).finally(() => this.coming.delete(index));
    this.coming.set(index, picture);
    return picture;
  }

  private async fetch(index: number): Promise<StoredPicture> {
    const { split, form, cache, dataset } = this.options;
    const file = split.paths[index];
    if (file === undefined) {
      throw new RangeError(`image ${index} of the ${split.name} split of ${split.paths.length}`);
    }
    const cached = cache && (await this.cached(cache, index));
    if (cached !== undefined) {
      this.statistics.cached += 1;
      return unpackPicture(form, cached);
    }
    const picture = await this.decode(path.join(dataset.imagesRoot, file), hexOf(split.digests, index));
    this.statistics.decoded += 1;
    if (cache !== undefined && this.writable) {
      const write = this.store(cache, index, packPicture(form, picture));
      this.writes.add(write);
      void write.finally(() => this.writes.delete(write));
    }
    return picture;
  }

  private async cached(cache: CacheFile, index: number): Promise<Uint8Array | undefined> {
    if (!this.readable) return undefined;
    try {
      return await cache.read(index);
    } catch (error) {
      if (this.readable) {
        this.options.onNotice(
          `the image cache cannot be read (${reasonOf(error)}), so images are decoded each time`,
        );
      }
      this.readable = false;
      return undefined;
    }
  }

  private async decode(file: string, expected: string): Promise<StoredPicture> {
    if (this.decodes === this.options.parallelDecodes)
      await new Promise<void>((resume) => this.waiting.push(resume));
    else this.decodes += 1;
    try {
      const { form, dataset } = this.options;
      const bytes = await readPicture(file);
      requireUnchanged(file, bytes, expected);
      return await storePicture(bytes, form, file, dataset.truncatedPictures);
    } finally {
      // The place passes straight to the next in line, so that nobody can slip in between.
      const next = this.waiting.shift();
      if (next === undefined) this.decodes -= 1;
      else next();
    }
  }

  private async store(cache: CacheFile, index: number, packed: Uint8Array): Promise<void> {
    try {
      await cache.write(index, packed);
    } catch (error) {
      if (!this.writable) return;
      this.writable = false;
      this.options.onNotice(
        `the image cache accepts no more images (${reasonOf(error)}), so images that are not in it are decoded each time`,
      );
    }
  }
}

function reasonOf(error: unknown): string {
  return error instanceof DiskError
    ? error.message
    : ((error as NodeJS.ErrnoException).code ?? String(error));
}

/** The worker was admitted by its dataset fingerprint, which covers the file's earlier content. */
function requireUnchanged(file: string, bytes: Buffer, expected: string): void {
  const found = sha256(bytes).toString('hex');
  if (found === expected) return;
  throw new DatasetError(
    'DATASET_IMAGE_CHANGED',
    `the image ${file} was replaced since this worker read the dataset: it has ${bytes.length} bytes of SHA-256 ${shortDigest(found)}, expected ${shortDigest(expected)}`,
  );
}
