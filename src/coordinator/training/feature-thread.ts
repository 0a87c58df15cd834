import { parentPort, workerData } from 'node:worker_threads';
import { MethodError } from '../../methods/error.js';
import { type FeatureAnswer, type FeatureTask, makeFeatureCodes } from './feature-task.js';
import { makeStart, type StartTask } from './start-task.js';

/** The thread that makes codes of features. Its data is a FeatureTask or a StartTask; it sends one FeatureAnswer. */

const task = workerData as FeatureTask | StartTask;
const make = async () => ('method' in task ? makeFeatureCodes(task) : makeStart(task));
const answer: FeatureAnswer = await make().then(
  (outcome) => ({ outcome }),
  (error) => {
    // The class of an error does not survive its way out of a thread.
    if (!(error instanceof MethodError)) throw error;
    return { code: error.code, message: error.message };
  },
);
parentPort!.postMessage(answer);
