import { changedBits, packCodes } from '../../hashing/codes.js';
import { methodSettingsOf } from '../../methods/settings.js';
import type { CodeMaking } from './code-making.js';
import { encodeFeatures, featureDimension } from './encode-features.js';
import { inFeatureThread } from './feature-task.js';

/**
 * Methods on features: the workers encode the features of the initial weights, a hash function is learned from those of
 * the train split, and it makes the codes of the database and of the queries.
 */
export const featureCodes: CodeMaking = {
  async databaseCodes(context) {
    const { spec, dataset, state, weights, clock, signal, notify } = context;
    const { method, bits, seed } = spec;
    const { labels } = dataset.train;
    const verification = { iteration: state.position.iteration, phase: 0 };
    const images = Uint32Array.from({ length: labels.length }, (_, i) => i);
    const features = await encodeFeatures(context, weights, 'TRAIN', images, verification);
    const started = clock.nowMs();
    notify({ type: 'learning.begun', method });
    const { hash, codes } = await inFeatureThread(
      {
        method,
        features,
        learn: {
          dimension: featureDimension(spec),
          labels,
          classCount: dataset.classNames.length,
          bits,
          seed,
          settings: methodSettingsOf(spec),
        },
      },
      signal,
    );
    const flippedBits = changedBits(state.codes, codes);
    return { codes, hash, anchored: null, flippedBits, seconds: (clock.nowMs() - started) / 1000 };
  },

  async queryCodes(context, weights, hash, images, verification) {
    const { method, bits } = context.spec;
    const features = await encodeFeatures(context, weights, 'TEST', images, verification);
    const { codes } = await inFeatureThread({ method, features, learn: null, hash }, context.signal);
    return packCodes(codes, bits);
  },
};
