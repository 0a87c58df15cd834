import { parentPort, workerData } from 'node:worker_threads';
import { MethodError } from '../../methods/error.js';
import { type FeatureAnswer, makeFeatureCodes } from './feature-task.js';

/** The thread that makes codes of features. Its data is a FeatureTask; it sends one FeatureAnswer. */

const answer: FeatureAnswer = await makeFeatureCodes(workerData).then(
  (outcome) => ({ outcome }),
  (error) => {
    // The class of an error does not survive its way out of a thread.
    if (!(error instanceof MethodError)) throw error;
    return { code: error.code, message: error.message };
  },
);
parentPort!.postMessage(answer);
