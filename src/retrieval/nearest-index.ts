import { wordsPerCode } from '../hashing/codes.js';
import { checkLength, RetrievalError } from './error.js';
import { createNearestKernel, groupSize, mostCodes, type NearestKernel } from './nearest-kernel.js';

/** The codes nearest to a query, by distance, ties by row. */
export interface NearestCodes {
  /** Rows of the database `[found]` */
  readonly rows: Uint32Array;
  /** Hamming distances `[found]` */
  readonly distances: Uint8Array;
}

/**
 * Finds the nearest codes of a database exactly, by a scan of all of them. It needs a byte of memory for each eight bits
 * of a code, and no time to be built but that of a copy.
 */
export class NearestIndex {
  private readonly kernel: NearestKernel;

  /**
   * @param codes packed `[size, wordsPerCode(bits)]`
   * @throws RetrievalError `RETRIEVAL_SHAPE`, `RETRIEVAL_EMPTY`; `RETRIEVAL_TOO_LARGE` when they do not fit into the 4
   * GiB of a WebAssembly memory
   */
  constructor(
    codes: Uint32Array,
    readonly size: number,
    readonly bits: number,
  ) {
    const words = wordsPerCode(bits);
    checkLength('a database of packed codes', codes.length, size * words);
    if (size === 0) {
      throw new RetrievalError('RETRIEVAL_EMPTY', 'the database has 0 items, expected at least one');
    }
    const bytes = (bits + 7) >>> 3;
    if (size > mostCodes(bytes)) {
      throw new RetrievalError(
        'RETRIEVAL_TOO_LARGE',
        `the database has ${size} codes of ${bits} bits, expected at most ${mostCodes(bytes)}: an index is limited to 4 GiB`,
      );
    }
    this.kernel = createNearestKernel(size, bytes);
    const { codes: target } = this.kernel;
    for (let row = 0; row < size; row++) {
      const place = (row >>> 4) * bytes * groupSize + (row & 15);
      for (let byte = 0; byte < bytes; byte++) {
        target[place + byte * groupSize] = codes[row * words + (byte >>> 2)]! >>> (8 * (byte & 3));
      }
    }
  }

  /** Bytes that the index holds. */
  get memoryBytes(): number {
    return this.kernel.memoryBytes;
  }

  /**
   * The `count` codes nearest to a query, or all when there are fewer.
   * @param queries packed codes; `row` selects one
   * @param count at least 1
   */
  nearest(queries: Uint32Array, row: number, count: number): NearestCodes {
    const { kernel, size, bits } = this;
    const words = wordsPerCode(bits);
    checkLength(
      'a matrix of packed query codes',
      queries.length,
      Math.max(row + 1, queries.length / words) * words,
    );
    kernel.query.forEach((_, byte) => {
      kernel.query[byte] = queries[row * words + (byte >>> 2)]! >>> (8 * (byte & 3));
    });
    // Rows come in ascending order, so of two with the same distance the one that was found first is ranked first, and
    // one at the bound comes behind all that are kept. At most `count` rows of each distance are kept.
    const kept: number[][] = Array.from({ length: bits + 1 }, () => []);
    let total = 0;
    let bound = bits + 1;
    const groups = Math.ceil(size / groupSize);
    for (let group = 0; group < groups && bound > 0; group = kernel.next) {
      kernel.scan(group, bound);
      for (let hit = 0; hit < kernel.hits; hit++) {
        const first = kernel.group(hit) * groupSize;
        const end = Math.min(groupSize, size - first);
        for (let lane = 0; lane < end; lane++) {
          const distance = kernel.distances[hit * groupSize + lane]!;
          if (distance >= bound) continue;
          kept[distance]!.push(first + lane);
          total++;
          // The bound is the distance of the worst that counts.
          if (total < count) continue;
          bound = Math.min(bound, bits);
          while (total - kept[bound]!.length >= count) total -= kept[bound--]!.length;
        }
      }
    }
    const found = Math.min(count, size);
    const rows = new Uint32Array(found);
    const distances = new Uint8Array(found);
    let place = 0;
    for (let distance = 0; place < found; distance++) {
      for (const item of kept[distance]!.slice(0, found - place)) {
        rows[place] = item;
        distances[place++] = distance;
      }
    }
    return { rows, distances };
  }
}
