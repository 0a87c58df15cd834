import { Worker } from 'node:worker_threads';
import { MethodError } from '../../methods/error.js';
import type { FeatureTraining, HashFunction } from '../../methods/method.js';
import { featureMethod, type Method } from '../../methods/methods.js';
import { methodRandom } from './method-random.js';
import type { StartOutcome, StartTask } from './start-task.js';

/** Codes to make from features. */
export interface FeatureTask {
  readonly method: Method;
  /** `[n, dimension]` */
  readonly features: Float32Array<ArrayBuffer>;
  /** What to learn the hash function with, from these features; null uses `hash`. */
  readonly learn:
    | (Pick<FeatureTraining, 'dimension' | 'labels' | 'classCount' | 'bits' | 'settings'> & {
        readonly seed: number;
      })
    | null;
  readonly hash?: HashFunction | null;
}

export interface FeatureOutcome {
  readonly hash: HashFunction;
  /** ±1 `[n, bits]` */
  readonly codes: Int8Array<ArrayBuffer>;
}

/** Makes the codes of features. @throws MethodError when nothing can be learned from them */
export async function makeFeatureCodes({
  method,
  features,
  learn,
  hash,
}: FeatureTask): Promise<FeatureOutcome> {
  const hashing = await featureMethod(method)!.load();
  const known = learn ? hashing.learn({ ...learn, features, random: methodRandom(learn.seed) }) : hash!;
  return { hash: known, codes: hashing.hash(known, features) };
}

type OutcomeOf<Task> = Task extends FeatureTask ? FeatureOutcome : StartOutcome;

/** What the thread answers: an outcome, or the code and sentence of a MethodError. */
export type FeatureAnswer =
  | { readonly outcome: FeatureOutcome | StartOutcome }
  | { readonly code: string; readonly message: string };

/**
 * The same, or `makeStart`, in a thread of its own, because it takes minutes on a large dataset, in which a coordinator
 * must renew its lease. The features are moved to the thread.
 * @throws what these throw, and the signal's reason when aborted
 */
export async function inFeatureThread<Task extends FeatureTask | StartTask>(
  task: Task,
  signal: AbortSignal,
): Promise<OutcomeOf<Task>> {
  signal.throwIfAborted();
  const thread = new Worker(new URL('./feature-thread.js', import.meta.url), {
    workerData: task,
    transferList: [task.features.buffer],
  });
  const over = new AbortController();
  return new Promise<OutcomeOf<Task>>((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { signal: over.signal });
    thread.once('message', (answer: FeatureAnswer) => {
      if ('outcome' in answer) resolve(answer.outcome as OutcomeOf<Task>);
      else reject(new MethodError(answer.code as `METHOD_${string}`, answer.message));
    });
    thread.once('error', reject);
    thread.once('exit', () => reject(new Error('the thread that makes codes of features has ended')));
  }).finally(() => {
    over.abort();
    return thread.terminate();
  });
}
