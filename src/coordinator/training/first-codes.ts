import { MethodError } from '../../methods/error.js';
import type { OutgoingWeights } from '../dispatch/outgoing-weights.js';
import { encodeFeatures, featureDimension } from './encode-features.js';
import type { EvaluationContext } from './encode-on-workers.js';
import { inFeatureThread } from './feature-task.js';
import type { StartOutcome } from './start-task.js';
import type { TrainingEvent } from './training-event.js';

/**
 * What a run begins with from the mean features of the classes. Workers encode the features of all training images with
 * the initial weights.
 * @throws MethodError METHOD_RANK; rejects with the signal's reason when aborted
 */
export async function classMeanStart(
  context: EvaluationContext & { readonly notify: (event: TrainingEvent) => void },
  weights: OutgoingWeights,
): Promise<StartOutcome> {
  const { spec, dataset, signal, notify } = context;
  const { labels } = dataset.train;
  const images = Uint32Array.from({ length: labels.length }, (_, i) => i);
  const verification = { iteration: 0, phase: 2 };
  const features = await encodeFeatures(context, weights, 'TRAIN', images, verification);
  notify({ type: 'learning.begun', method: 'itq' });
  const classCount = dataset.classNames.length;
  const task = { features, dimension: featureDimension(spec), labels, classCount, bits: spec.bits };
  return inFeatureThread(task, signal).catch((error) => {
    if (!(error instanceof MethodError)) throw error;
    throw new MethodError('METHOD_RANK', `spec.firstCodes is class-means, which needs itq: ${error.message}`);
  });
}
