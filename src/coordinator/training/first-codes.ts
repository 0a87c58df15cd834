import { separateCodes } from '../../hashing/class-codes.js';
import { classMeans } from '../../methods/class-means.js';
import { MethodError } from '../../methods/error.js';
import { hashByHyperplanes } from '../../methods/lsh.js';
import { publishedSettings } from '../../methods/settings.js';
import type { OutgoingWeights } from '../dispatch/outgoing-weights.js';
import { encodeFeatures, featureDimension } from './encode-features.js';
import type { EvaluationContext } from './encode-on-workers.js';
import { inFeatureThread } from './feature-task.js';
import type { TrainingEvent } from './training-event.js';

/** ITQ's first rotation is the same for every seed of a run, so that runs from one backbone begin with one V. */
const seedOfRotation = 0;

/**
 * V before the first step, ±1 `[n, bits]`: every image has the code of its class. Workers encode the features of all
 * training images with the initial weights, and ITQ learns a hash function from them. The codes that it makes of the
 * classes' mean features are moved apart.
 * @throws MethodError METHOD_RANK; rejects with the signal's reason when aborted
 */
export async function classMeanCodes(
  context: EvaluationContext & { readonly notify: (event: TrainingEvent) => void },
  weights: OutgoingWeights,
): Promise<Int8Array> {
  const { spec, dataset, signal, notify } = context;
  const { bits } = spec;
  const { labels } = dataset.train;
  const classCount = dataset.classNames.length;
  const dimension = featureDimension(spec);
  const images = Uint32Array.from({ length: labels.length }, (_, i) => i);
  const verification = { iteration: 0, phase: 2 };
  const features = await encodeFeatures(context, weights, 'TRAIN', images, verification);
  const means = classMeans(features, dimension, labels, classCount);
  notify({ type: 'learning.begun', method: 'itq' });
  const learn = {
    dimension,
    labels,
    classCount,
    bits,
    settings: publishedSettings,
    seed: seedOfRotation,
  };
  const { hash } = await inFeatureThread({ method: 'itq', features, learn }, signal).catch((error) => {
    if (!(error instanceof MethodError)) throw error;
    throw new MethodError('METHOD_RANK', `spec.firstCodes is class-means, but needs itq. ${error.message}`);
  });
  const ofClasses = await separateCodes(hashByHyperplanes(hash, means), bits, signal);
  const codes = new Int8Array(labels.length * bits);
  labels.forEach((label, image) => {
    codes.set(ofClasses.subarray(label * bits, (label + 1) * bits), image * bits);
  });
  return codes;
}
