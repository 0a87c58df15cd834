import { ClassFeatureSums } from '../../methods/class-feature-means.js';
import { anchorsAreMade } from '../../schedule/schedule.js';
import { adshCodes } from './adsh-codes.js';
import type { CodeMaking, CodesContext } from './code-making.js';
import { encodeLocalFeatures, localFeatureSize } from './encode-features.js';

/** Images that are encoded together, so that memory does not grow with the dataset: 64 MB for a ResNet-50. */
const imagesAtOnce = 2048;

/** ExchNet's codes are ADSH's. With them come the features of the classes that the next iteration exchanges. */
export const exchnetCodes: CodeMaking = {
  async databaseCodes(context) {
    const made = await adshCodes.databaseCodes(context);
    const { spec, state } = context;
    const isDue = anchorsAreMade(spec, state.position.iteration);
    return { ...made, anchored: isDue ? await classFeatures(context) : null };
  },

  queryCodes: adshCodes.queryCodes,
};

/**
 * The mean of the local features of the training images of every class, in eval mode; 0 for a class without images.
 * Sums are in float64, in the order of the images.
 * @returns `[classes, parts, width]`; rejects with the signal's reason when aborted
 */
async function classFeatures(context: CodesContext): Promise<Float32Array<ArrayBuffer>> {
  const { spec, dataset, weights, state, notify } = context;
  const { labels } = dataset.train;
  const sums = new ClassFeatureSums(localFeatureSize(spec), dataset.classNames.length);
  for (let start = 0, job = 0; start < labels.length; start += imagesAtOnce, job++) {
    const count = Math.min(imagesAtOnce, labels.length - start);
    const images = Uint32Array.from({ length: count }, (_, i) => start + i);
    const onProgress = (done: number) =>
      notify({ type: 'encoding', what: 'local features', done: start + done, total: labels.length });
    // Phases 0 and 1 of an iteration are the sampled images and the queries.
    const verification = { iteration: state.position.iteration, phase: 2 + job };
    const features = await encodeLocalFeatures({ ...context, onProgress }, weights, images, verification);
    sums.add(features, labels.subarray(start, start + count));
  }
  return sums.means();
}
