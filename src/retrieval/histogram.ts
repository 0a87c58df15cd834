import { setImmediate } from 'node:timers/promises';
import { averagePrecision } from './average-precision.js';
import { RetrievalError } from './error.js';

/** Colours are told apart by the three highest bits of red, green and blue. */
export const histogramBins = 512;

/**
 * Number of pixels of each of 8 × 8 × 8 colours `[512]`: bin 64 · ⌊red / 32⌋ + 8 · ⌊green / 32⌋ + ⌊blue / 32⌋.
 * @param pixels one picture `[height, width, 3]`, 0..255
 */
export function colorHistogram(pixels: Uint8Array): Uint32Array {
  const histogram = new Uint32Array(histogramBins);
  for (let i = 0; i + 2 < pixels.length; i += 3) {
    histogram[((pixels[i]! >>> 5) << 6) | ((pixels[i + 1]! >>> 5) << 3) | (pixels[i + 2]! >>> 5)]!++;
  }
  return histogram;
}

/** Histograms one by one, so that pictures can be decoded when needed. */
export type HistogramStream = Iterable<Uint32Array> | AsyncIterable<Uint32Array>;

/**
 * Retrieval without training: mean average precision over the whole database of nearest neighbours by colour, ties by
 * database index. The distance is L1 between L1-normalised histograms. All pictures have the same number of pixels, so
 * it is twice the number of pixels not shared: an integer, with exact ties.
 * @throws RetrievalError `RETRIEVAL_HISTOGRAM` when a histogram has another length or number of pixels than the first,
 * `RETRIEVAL_SHAPE` when their number is not the number of labels, `RETRIEVAL_EMPTY`
 */
export async function histogramRetrieval(input: {
  databaseHistograms: HistogramStream;
  databaseLabels: Int32Array;
  queryHistograms: HistogramStream;
  queryLabels: Int32Array;
}): Promise<{ queries: number; databaseSize: number; mAP: number }> {
  const { databaseLabels, queryLabels } = input;
  if (databaseLabels.length === 0 || queryLabels.length === 0) {
    throw new RetrievalError(
      'RETRIEVAL_EMPTY',
      'there are no queries or no database items, expected at least one of each',
    );
  }
  const { columns, pixels } = await histogramColumns(input.databaseHistograms, databaseLabels.length);
  const shared = new Int32Array(databaseLabels.length);
  let query = 0;
  let sum = 0;
  for await (const histogram of input.queryHistograms) {
    checkHistogram(histogram, pixels);
    if (query >= queryLabels.length) throw countError('query', queryLabels.length + 1, queryLabels.length);
    shared.fill(0);
    for (let bin = 0; bin < histogramBins; bin++) {
      if (histogram[bin]! > 0) addShared(shared, columns[bin]!, histogram[bin]!);
    }
    sum += averagePrecision(relevantRanks(shared, databaseLabels, queryLabels[query]!));
    query++;
    await setImmediate();
  }
  if (query !== queryLabels.length) throw countError('query', query, queryLabels.length);
  return { queries: query, databaseSize: databaseLabels.length, mAP: sum / query };
}

/** The database's histograms, one column `[n]` per bin. */
async function histogramColumns(
  histograms: HistogramStream,
  size: number,
): Promise<{ columns: Int32Array[]; pixels: number }> {
  const columns = Array.from({ length: histogramBins }, () => new Int32Array(size));
  let item = 0;
  let pixels: number | undefined;
  for await (const histogram of histograms) {
    pixels ??= pixelCount(histogram);
    checkHistogram(histogram, pixels);
    if (item >= size) throw countError('database', size + 1, size);
    for (let bin = 0; bin < histogramBins; bin++) columns[bin]![item] = histogram[bin]!;
    item++;
  }
  if (item !== size || pixels === undefined) throw countError('database', item, size);
  return { columns, pixels };
}

function addShared(shared: Int32Array, column: Int32Array, count: number): void {
  for (let item = 0; item < column.length; item++) shared[item]! += Math.min(column[item]!, count);
}

/** Ranks of the relevant items when the database is ordered by the number of shared pixels, ties by index. */
function relevantRanks(
  shared: Int32Array,
  labels: Int32Array,
  label: number,
): { ranks: Int32Array; relevantCount: number } {
  const size = shared.length;
  const keys = Float64Array.from(shared, (pixels, item) => item - pixels * size).sort();
  const ranks = new Int32Array(size);
  let relevantCount = 0;
  for (let place = 0; place < size; place++) {
    const item = ((keys[place]! % size) + size) % size;
    if (labels[item] === label) ranks[relevantCount++] = place + 1;
  }
  return { ranks, relevantCount };
}

function pixelCount(histogram: Uint32Array): number {
  return histogram.reduce((sum, count) => sum + count, 0);
}

function checkHistogram(histogram: Uint32Array, pixels: number): void {
  const found = pixelCount(histogram);
  if (histogram.length !== histogramBins || found !== pixels) {
    throw new RetrievalError(
      'RETRIEVAL_HISTOGRAM',
      `a colour histogram has ${histogram.length} bins and ${found} pixels, expected ${histogramBins} bins and ${pixels} pixels`,
    );
  }
}

function countError(what: string, found: number, expected: number): RetrievalError {
  return new RetrievalError(
    'RETRIEVAL_SHAPE',
    `the ${what} has ${found > expected ? `more than ${expected}` : found} histograms, expected ${expected}, one for each label`,
  );
}
