import { separateCodes } from '../../hashing/class-codes.js';
import { classCodeMap, type LinearMap } from '../../methods/class-code-map.js';
import { ClassFeatureSums } from '../../methods/class-feature-means.js';
import { itq } from '../../methods/itq.js';
import { publishedSettings } from '../../methods/settings.js';
import { methodRandom } from './method-random.js';

/** ITQ's first rotation is the same for every seed of a run, so that runs from one backbone begin alike. */
const seedOfRotation = 0;

/** A start to make from the features of the initial weights. */
export interface StartTask {
  /** `[n, dimension]` */
  readonly features: Float32Array<ArrayBuffer>;
  readonly dimension: number;
  /** Classes of the images `[n]` */
  readonly labels: Int32Array;
  readonly classCount: number;
  readonly bits: number;
}

export interface StartOutcome {
  /** V: the code of each image's class, ±1 `[n, bits]` */
  readonly codes: Int8Array<ArrayBuffer>;
  /** The hash layer whose values before tanh are nearest to V. */
  readonly hashLayer: LinearMap;
}

/**
 * The start of `firstCodes: class-means`. ITQ learns a hash function from the features. The codes that it makes of the
 * classes' mean features are moved apart.
 * @throws MethodError METHOD_RANK
 */
export function makeStart(task: StartTask): StartOutcome {
  const { features, dimension, labels, classCount, bits } = task;
  const random = methodRandom(seedOfRotation);
  const hash = itq.learn({ ...task, settings: publishedSettings, random });
  const sums = new ClassFeatureSums(dimension, classCount);
  sums.add(features, labels);
  const ofClasses = separateCodes(itq.hash(hash, sums.means()), bits);
  const codes = new Int8Array(labels.length * bits);
  labels.forEach((label, image) => {
    codes.set(ofClasses.subarray(label * bits, (label + 1) * bits), image * bits);
  });
  return { codes, hashLayer: classCodeMap(features, dimension, labels, ofClasses, bits) };
}
