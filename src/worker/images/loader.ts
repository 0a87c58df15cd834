import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { DatasetError, type DatasetErrorCode } from '../../data/error.js';
import { diskWatch } from '../../disk/watch.js';
import type { LoaderAnswer, LoaderOptions, LoaderRequest, LoaderStatistics, Split } from './messages.js';
import type { RowViews } from './rows.js';
import type { ImageSource } from './source.js';

/** Loads the images of a run in a separate thread. */
export class ImageLoader {
  readonly train = this.source('train');
  readonly test = this.source('test');
  private statistics: LoaderStatistics = {
    train: { decoded: 0, cached: 0 },
    test: { decoded: 0, cached: 0 },
  };
  private lastRequest = 0;
  private readonly reads = new Map<
    number,
    { resolve: (pixels: Uint8Array<ArrayBuffer>) => void; reject: (error: unknown) => void }
  >();
  /** Why no more images can be read. */
  private failure: unknown = null;

  private constructor(
    private readonly thread: Worker,
    private readonly onNotice: (message: string) => void,
  ) {}

  /** @param onNotice called with a sentence when no cache can be used */
  static open(options: LoaderOptions, onNotice: (message: string) => void): Promise<ImageLoader> {
    const thread = new Worker(new URL('./loader-thread.js', import.meta.url), { workerData: options });
    const loader = new ImageLoader(thread, onNotice);
    return new Promise((resolve, reject) => {
      thread.on('message', (answer: LoaderAnswer) => {
        if (answer.kind === 'overdue') return diskWatch.report(answer);
        if (answer.kind !== 'opened') return loader.receive(answer);
        // The thread must not keep an otherwise finished process alive.
        thread.unref();
        resolve(loader);
      });
      thread.on('error', (error) => {
        loader.fail(error);
        reject(error);
      });
      thread.on('exit', () => loader.fail(new Error('the thread that loads images has ended')));
    });
  }

  /** Resolves after the running writes. */
  async close(): Promise<void> {
    if (this.failure) return;
    this.thread.ref();
    const ended = once(this.thread, 'exit');
    this.send({ kind: 'close' });
    await ended;
  }

  private source(split: Split): ImageSource {
    const loader = this;
    return {
      read: (indices, views) => loader.read(split, indices, views),
      prefetch: (indices, views) => loader.send({ kind: 'prefetch', split, indices, views }),
      get statistics() {
        return loader.statistics[split];
      },
      close: () => loader.close(),
    };
  }

  private read(split: Split, indices: Int32Array, views: RowViews | null): Promise<Uint8Array<ArrayBuffer>> {
    return new Promise((resolve, reject) => {
      if (this.failure) {
        reject(this.failure);
        return;
      }
      const id = ++this.lastRequest;
      this.reads.set(id, { resolve, reject });
      this.send({ kind: 'read', id, split, indices, views });
    });
  }

  private send(request: LoaderRequest): void {
    this.thread.postMessage(request);
  }

  private receive(answer: Exclude<LoaderAnswer, { kind: 'opened' | 'overdue' }>): void {
    if (answer.kind === 'notice') {
      this.onNotice(answer.message);
      return;
    }
    const read = this.reads.get(answer.id);
    this.reads.delete(answer.id);
    if (answer.kind === 'pixels') {
      this.statistics = answer.statistics;
      read?.resolve(answer.pixels);
      return;
    }
    const { code, message } = answer;
    read?.reject(code ? new DatasetError(code as DatasetErrorCode, message) : new Error(message));
  }

  private fail(error: unknown): void {
    this.failure ??= error;
    for (const { reject } of this.reads.values()) reject(error);
    this.reads.clear();
  }
}
