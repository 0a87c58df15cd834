import { packCodes } from '../../hashing/codes.js';
import { lsh } from '../../methods/lsh.js';
import { evaluateRetrieval } from '../../retrieval/evaluate.js';
import { histogramBins, histogramRetrieval } from '../../retrieval/histogram.js';
import type { OutgoingWeights } from '../dispatch/outgoing-weights.js';
import { type EvaluationContext, encodeOnWorkers } from './encode-on-workers.js';
import { methodRandom } from './method-random.js';
import type { UntrainedFigures } from './run-state.js';

/**
 * Measures the mean average precision of two methods without training, on the run's images: nearest neighbours by colour
 * histogram, and signs of random projections of the features of the initial weights.
 * @param featureWidth channels of the pooled features
 */
export async function measureUntrained(
  context: EvaluationContext,
  weights: OutgoingWeights,
  featureWidth: number,
): Promise<UntrainedFigures> {
  const { spec, dataset } = context;
  const { bits } = spec;
  const queryLabels = dataset.test.labels;
  const databaseLabels = dataset.train.labels;
  const images = { TEST: queryLabels.length, TRAIN: databaseLabels.length };
  const total = 2 * (images.TEST + images.TRAIN);
  let before = 0;
  // The progress counts the images of all four passes together.
  const encode = async (...[output, split, words]: [Output, Split, number]) => {
    const onProgress = (done: number) => context.onProgress(before + done, total);
    const encoded = await encodeSplit({ ...context, onProgress }, weights, output, split, words);
    before += images[split];
    return encoded;
  };
  const histograms = async (split: Split) => {
    const words = new Uint32Array(await encode('COLOR_HISTOGRAM', split, histogramBins));
    return rowsOf(words, histogramBins);
  };
  const { mAP: colorHistogram } = await histogramRetrieval({
    queryHistograms: await histograms('TEST'),
    databaseHistograms: await histograms('TRAIN'),
    queryLabels,
    databaseLabels,
  });

  const features = async (split: Split) => new Float32Array(await encode('FEATURES', split, featureWidth));
  const database = await features('TRAIN');
  const queries = await features('TEST');
  const learned = lsh.learn({
    features: database,
    dimension: featureWidth,
    bits,
    random: methodRandom(spec.seed),
  });
  const { mAP: randomProjection } = await evaluateRetrieval(
    {
      queryCodes: packCodes(lsh.hash(learned, queries), bits),
      queryLabels,
      databaseCodes: packCodes(lsh.hash(learned, database), bits),
      databaseLabels,
      bits,
      classCount: dataset.classNames.length,
      precisionAt: [],
    },
    context.signal,
  );
  return { colorHistogram, randomProjection };
}

type Split = 'TRAIN' | 'TEST';
type Output = 'FEATURES' | 'COLOR_HISTOGRAM';

/** One output of every image of a split, `[images, wordsPerImage]` words of 32 bits. */
async function encodeSplit(
  context: EvaluationContext,
  weights: OutgoingWeights,
  output: Output,
  split: Split,
  wordsPerImage: number,
): Promise<ArrayBuffer> {
  const { train, test } = context.dataset;
  const count = (split === 'TRAIN' ? train : test).labels.length;
  const images = Uint32Array.from({ length: count }, (_, i) => i);
  const request = { output, split, images, bytesPerImage: 4 * wordsPerImage, verification: null };
  return encodeOnWorkers(context, weights, request);
}

function rowsOf(matrix: Uint32Array, width: number): Uint32Array[] {
  return Array.from({ length: matrix.length / width }, (_, row) =>
    matrix.subarray(row * width, (row + 1) * width),
  );
}
