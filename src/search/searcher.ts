import { bytesOfPackedCodes } from '../formats/code-bytes.js';
import { NearestIndex } from '../retrieval/nearest-index.js';
import type { Database } from './database.js';

/** The most pictures that one search returns. */
export const mostNearest = 1000;

/** A picture that a search found. */
export interface Found {
  /** Its row among the codes of the database. */
  readonly row: number;
  /** Bits in which its code differs from the query's. */
  readonly distance: number;
  readonly path: string;
  /** Name of its class; null where the database has no classes. */
  readonly class: string | null;
}

/** Searches a database by code. */
export class Searcher {
  readonly index: NearestIndex;

  /** @throws RetrievalError RETRIEVAL_EMPTY, RETRIEVAL_TOO_LARGE */
  constructor(readonly database: Database) {
    this.index = new NearestIndex(database.codes, database.size, database.bits);
  }

  /**
   * The nearest pictures, by distance, ties by row.
   * @param codes packed `[queries, wordsPerCode(bits)]`; `query` selects one
   * @param top from 1 to {@link mostNearest}
   */
  nearest(codes: Uint32Array, query: number, top: number): Found[] {
    const { rows, distances } = this.index.nearest(codes, query, top);
    return Array.from(rows, (row, rank) => {
      const { path, className } = this.database.picture(row);
      return { row, distance: distances[rank]!, path, class: className };
    });
  }
}

/** One packed code as hexadecimal digits of its bytes; see `bytesOfPackedCodes`. */
export function hexOfCode(codes: Uint32Array, bits: number): string {
  return Buffer.from(bytesOfPackedCodes(codes, bits)).toString('hex');
}
