import type { Dataset } from '../../data/dataset.js';
import { wordsPerCode } from '../../hashing/codes.js';
import type { TrainingRunSpec } from '../../run/training-run.js';
import { encodeBatches } from '../../schedule/encode-batches.js';
import { verifiedBatches } from '../../schedule/verified-leaves.js';
import { type EncodeJob, runEncodeJob } from '../dispatch/encode-job.js';
import type { OutgoingWeights } from '../dispatch/outgoing-weights.js';
import type { WorkSurroundings } from '../dispatch/work-surroundings.js';

/** What the encode jobs of a run share. */
export interface EncodeContext extends WorkSurroundings {
  readonly spec: TrainingRunSpec;
  readonly term: number;
  /** Called with the number of images encoded so far, and of all images. */
  readonly onProgress: (done: number, total: number) => void;
}

/** What the evaluations of a run share. */
export interface EvaluationContext extends EncodeContext {
  readonly dataset: Dataset;
}

/** One encode job. */
export interface EncodeRequest
  extends Pick<EncodeJob, 'output' | 'split' | 'images' | 'bytesPerImage' | 'implausible'> {
  /**
   * Selects the batches that are encoded twice, by the iteration and the number of the job in it; null selects none.
   */
  readonly verification: { readonly iteration: number; readonly phase: number } | null;
}

/**
 * Rejects float32 answers that hold a number which no network computes.
 * @param name what one number is
 * @param expected in words
 */
export function refuseValues(
  name: 'output' | 'feature',
  isPlausible: (value: number) => boolean,
  expected: string,
): NonNullable<EncodeRequest['implausible']> {
  return (bytes) => {
    const bad = new Float32Array(bytes.slice().buffer).find((value) => !isPlausible(value));
    return bad === undefined ? null : `the ${name} ${bad}, expected ${expected}`;
  };
}

/** Packed codes of a split's images by the network's signs, uint32 `[images, wordsPerCode(bits)]`. */
export async function encodeCodes(
  context: EncodeContext,
  weights: OutgoingWeights,
  split: EncodeJob['split'],
  images: Uint32Array,
  verification: EncodeRequest['verification'],
): Promise<Uint32Array> {
  const bytesPerImage = 4 * wordsPerCode(context.spec.bits);
  const request: EncodeRequest = { output: 'CODES', split, images, bytesPerImage, verification };
  return new Uint32Array(await encodeOnWorkers(context, weights, request));
}

/**
 * Encodes images on the workers with the run's settings.
 * @returns `images.length × bytesPerImage` bytes in the order of `images`; rejects as `runEncodeJob` does
 */
export async function encodeOnWorkers(
  context: EncodeContext,
  weights: OutgoingWeights,
  { verification, ...request }: EncodeRequest,
): Promise<ArrayBuffer> {
  const { spec, term, onProgress } = context;
  const total = request.images.length;
  const job: EncodeJob = {
    ...request,
    term,
    weights,
    verified: verification
      ? verifiedBatches(spec, verification.iteration, verification.phase, encodeBatches(total))
      : [],
    strict: spec.operation.exactness === 'strict',
  };
  const bytes = await runEncodeJob(job, (done) => onProgress(done, total), context);
  return bytes.buffer;
}
