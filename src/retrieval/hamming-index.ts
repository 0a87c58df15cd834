import { wordsPerCode } from '../hashing/codes.js';
import { checkLength, RetrievalError } from './error.js';
import { createHammingKernel, type HammingKernel, partialCountStride } from './hamming-kernel.js';

/** Packed codes with the classes of their items. */
export interface LabelledCodes {
  /** `[n, wordsPerCode(bits)]`, from `packCodes` */
  readonly codes: Uint32Array;
  /** `[n]` */
  readonly labels: Int32Array;
}

/** Ranks of a query's relevant items; valid until the next query. */
export interface RelevantRanks {
  /** Items with each distance `[bits + 1]` */
  readonly counts: Int32Array;
  /** Relevant items with each distance `[bits + 1]` */
  readonly relevantCounts: Int32Array;
  /** Number of relevant items R. */
  readonly relevantCount: number;
  /** Rank from 1 of each relevant item, ties by database index, ascending `[≥ relevantCount]` */
  readonly ranks: Int32Array;
}

/** A database of codes that can be ranked by Hamming distance. */
export class HammingIndex {
  readonly size: number;
  private readonly kernel: HammingKernel;
  private readonly members: readonly Int32Array[];
  private readonly result: { counts: Int32Array; relevantCounts: Int32Array; ranks: Int32Array };
  private readonly offsets: Int32Array;

  /**
   * @param database labels outside 0..classCount-1 belong to no class
   * @throws RetrievalError `RETRIEVAL_SHAPE`, or `RETRIEVAL_EMPTY` for a database without items
   */
  constructor(
    database: LabelledCodes,
    readonly bits: number,
    classCount: number,
  ) {
    const { codes, labels } = database;
    const words = wordsPerCode(bits);
    this.size = labels.length;
    checkLength('a database of packed codes', codes.length, labels.length * words);
    if (labels.length === 0) {
      throw new RetrievalError('RETRIEVAL_EMPTY', 'the database has 0 items, expected at least one');
    }
    this.members = membersOfClasses(labels, classCount);
    const capacity = this.members.reduce((most, { length }) => Math.max(most, length), 0);
    const bytes = (bits + 7) >>> 3;
    this.kernel = createHammingKernel(this.size, bytes, capacity);
    for (let byte = 0; byte < bytes; byte++) {
      const plane = byte * this.kernel.stride;
      for (let item = 0; item < this.size; item++) {
        this.kernel.planes[plane + item] = codes[item * words + (byte >>> 2)]! >>> (8 * (byte & 3));
      }
    }
    this.offsets = new Int32Array(bits + 1);
    this.result = {
      counts: new Int32Array(bits + 1),
      relevantCounts: new Int32Array(bits + 1),
      ranks: new Int32Array(capacity),
    };
  }

  /**
   * Ranks the relevant items of the database for one query by distance, ties by index.
   * @param codes packed queries; `row` selects one
   * @param label class of the query; a class without items has no relevant items
   */
  rank(codes: Uint32Array, row: number, label: number): RelevantRanks {
    const { kernel, offsets } = this;
    const { counts, relevantCounts, ranks } = this.result;
    this.setQuery(codes, row);
    const members = this.members[label];
    const relevantCount = members?.length ?? 0;
    if (members !== undefined) kernel.relevant.set(members);
    kernel.run(relevantCount);

    const partial = kernel.partialCounts;
    for (let d = 0; d < counts.length; d++) {
      counts[d] =
        partial[d]! +
        partial[d + partialCountStride]! +
        partial[d + 2 * partialCountStride]! +
        partial[d + 3 * partialCountStride]!;
    }
    relevantCounts.fill(0);
    for (let i = 0; i < relevantCount; i++) relevantCounts[kernel.distances[members![i]!]!]!++;
    let closer = 0;
    for (let d = 0, relevantCloser = 0; d < counts.length; d++) {
      offsets[d] = relevantCloser;
      relevantCloser += relevantCounts[d]!;
    }
    // Members are ascending, so items of the same distance get increasing ranks.
    for (let i = 0; i < relevantCount; i++) {
      ranks[offsets[kernel.distances[members![i]!]!]!++] = kernel.earlier[i]!;
    }
    for (let d = 0, place = 0; d < counts.length; d++) {
      for (let i = 0; i < relevantCounts[d]!; i++) ranks[place++]! += closer + 1;
      closer += counts[d]!;
    }
    return { counts, relevantCounts, relevantCount, ranks };
  }

  /** The whole database in the order of its distance to query `row`, ties by index `[size]`. */
  ranking(codes: Uint32Array, row: number): Int32Array {
    const { counts } = this.rank(codes, row, -1);
    const places = new Int32Array(counts.length);
    for (let d = 1; d < counts.length; d++) places[d] = places[d - 1]! + counts[d - 1]!;
    const order = new Int32Array(this.size);
    for (let item = 0; item < this.size; item++) order[places[this.kernel.distances[item]!]!++] = item;
    return order;
  }

  private setQuery(codes: Uint32Array, row: number): void {
    const words = wordsPerCode(this.bits);
    const { query } = this.kernel;
    for (let byte = 0; byte < query.length; byte++) {
      query[byte] = codes[row * words + (byte >>> 2)]! >>> (8 * (byte & 3));
    }
  }
}

/** Ascending indices of each class's items. */
function membersOfClasses(labels: Int32Array, classCount: number): Int32Array[] {
  const sizes = new Int32Array(classCount);
  for (const label of labels) if (label >= 0 && label < classCount) sizes[label]!++;
  const members = Array.from(sizes, (size) => new Int32Array(size));
  sizes.fill(0);
  labels.forEach((label, item) => {
    if (label >= 0 && label < classCount) members[label]![sizes[label]!++] = item;
  });
  return members;
}
