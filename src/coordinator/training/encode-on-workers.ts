import type { TrainingRunSpec } from '../../run/training-run.js';
import { encodeBatches } from '../../schedule/encode-batches.js';
import { verifiedBatches } from '../../schedule/verified-leaves.js';
import { type EncodeJob, runEncodeJob } from '../dispatch/encode-job.js';
import type { OutgoingWeights } from '../dispatch/outgoing-weights.js';
import type { WorkSurroundings } from '../dispatch/redundant-work.js';

/** What the encode jobs of a run share. */
export interface EncodeContext extends WorkSurroundings {
  readonly spec: TrainingRunSpec;
  readonly term: number;
  /** Images encoded so far of how many. */
  readonly onProgress: (done: number, total: number) => void;
}

/** What one of them asks for. */
export interface EncodeRequest
  extends Pick<EncodeJob, 'output' | 'split' | 'images' | 'bytesPerImage' | 'implausible'> {
  /** Keys the choice of batches that are encoded twice: the iteration, and which job of it; null chooses none. */
  readonly verification: { readonly iteration: number; readonly phase: number } | null;
}

/**
 * Has the workers encode images as the run's settings say.
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
