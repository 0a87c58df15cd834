import { join } from 'node:path';
import { atMost } from '../../clock.js';
import type { Log } from '../../console/log.js';
import type { Dataset } from '../../data/dataset.js';
import { drawGallery, type GalleryRow } from '../../data/gallery-picture.js';
import type { FileEvent } from '../../formats/event-file.js';
import { packCodes } from '../../hashing/codes.js';
import { NearestIndex } from '../../retrieval/nearest-index.js';
import type { RunState } from '../training/run-state.js';
import type { Subscriber } from './coordinator-event.js';

/** Queries of a gallery, and what is shown of each. They bound its size: less than 1 MB. */
const mostQueries = 6;
const mostFound = 10;
/** Time that the end of a run waits for a gallery. */
const patienceMs = 10_000;

export const galleryTag = 'evaluation/gallery';
const description =
  'Each row is a query, at the left, and the ten nearest images of the database. A solid green frame: the class of the query. A dashed red frame with a cross: another class. The queries are the same at every evaluation.';

export interface GallerySources {
  readonly dataset: Pick<Dataset, 'imagesRoot' | 'train' | 'test'>;
  readonly state: Pick<RunState, 'position' | 'codes' | 'queryCodes'>;
  readonly bits: number;
  readonly log: Log;
  /** Unix time */
  readonly nowMs: () => number;
}

/**
 * Draws a gallery for TensorBoard at each evaluation of all queries. The ranking is taken at once, because the next step
 * changes the codes. Reading and drawing pictures goes on beside the run. Pictures that are not on this machine cost one
 * warning, and there are no galleries then.
 */
export class TensorboardGallery {
  private readonly queries: readonly number[];
  private drawing: Promise<void> = Promise.resolve();
  private isUnusable = false;

  constructor(
    private readonly sources: GallerySources,
    private readonly write: (event: FileEvent) => void,
  ) {
    this.queries = spreadQueries(sources.dataset.test.labels, mostQueries);
  }

  readonly take: Subscriber = (event) => {
    const { state, nowMs } = this.sources;
    if (event.type !== 'evaluated' || state.queryCodes === null || this.isUnusable) return;
    const rows = this.rank(state.queryCodes);
    const { globalStep } = state.position;
    const seconds = nowMs() / 1000;
    this.drawing = this.drawing.then(() => this.draw(rows, globalStep, seconds));
  };

  /** Waits until what was begun is written, but not for a disk that does not answer. */
  close(): Promise<void> {
    return atMost(patienceMs, this.drawing);
  }

  /** @param queryCodes ±1 `[queries, bits]` */
  private rank(queryCodes: Int8Array): GalleryRow[] {
    const { dataset, state, bits } = this.sources;
    const { imagesRoot, train, test } = dataset;
    const index = new NearestIndex(packCodes(state.codes, bits), train.labels.length, bits);
    return this.queries.map((query) => {
      const packed = packCodes(queryCodes.subarray(query * bits, (query + 1) * bits), bits);
      const { rows } = index.nearest(packed, 0, Math.min(mostFound, index.size));
      return {
        query: join(imagesRoot, test.paths[query]!),
        found: Array.from(rows, (row) => ({
          file: join(imagesRoot, train.paths[row]!),
          isRight: train.labels[row] === test.labels[query],
        })),
      };
    });
  }

  private async draw(rows: readonly GalleryRow[], step: number, seconds: number): Promise<void> {
    if (this.isUnusable) return;
    try {
      const { width, height, jpeg, missing } = await drawGallery(rows);
      if (missing === rows.length + rows.reduce((sum, { found }) => sum + found.length, 0)) {
        throw new Error(`${rows[0]!.query} cannot be read`);
      }
      this.write({
        seconds,
        step,
        content: { kind: 'image', tag: galleryTag, description, width, height, encoded: jpeg },
      });
    } catch (error) {
      this.isUnusable = true;
      this.sources.log.warn('galleries for TensorBoard cannot be drawn; the run goes on without them', {
        reason: (error as Error).message,
      });
    }
  }
}

/** The first query of some classes, at equal distances among the classes that have queries. */
function spreadQueries(labels: Int32Array, most: number): number[] {
  const firsts = new Map<number, number>();
  for (const [query, label] of labels.entries()) if (!firsts.has(label)) firsts.set(label, query);
  const ordered = [...firsts].sort(([one], [other]) => one - other).map(([, query]) => query);
  const count = Math.min(most, ordered.length);
  return Array.from({ length: count }, (_, place) => ordered[Math.floor((place * ordered.length) / count)]!);
}
