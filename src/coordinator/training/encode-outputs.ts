import type { OutgoingWeights } from '../dispatch/outgoing-weights.js';
import { type EncodeContext, encodeOnWorkers, refuseValues } from './encode-on-workers.js';

/**
 * Encodes the sampled images with fixed weights (equation 2 in eval mode). The result is U of equation 16.
 * @param omega positions in the train split `[m]`
 * @param iteration from 0
 * @returns `[m, bits]`, in the order of `omega`; rejects with the signal's reason when aborted
 */
export async function encodeOutputs(
  context: EncodeContext,
  weights: OutgoingWeights,
  omega: Int32Array,
  iteration: number,
): Promise<Float32Array<ArrayBuffer>> {
  const outputs = await encodeOnWorkers(context, weights, {
    output: 'OUTPUTS',
    split: 'TRAIN',
    images: Uint32Array.from(omega),
    bytesPerImage: 4 * context.spec.bits,
    implausible: refuseValues('output', (value) => Math.abs(value) <= 1, 'one from -1 to 1'),
    verification: { iteration, phase: 0 },
  });
  return new Float32Array(outputs);
}
