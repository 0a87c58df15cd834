import type { TrainedRun } from '../inference/trained-run.js';
import { featureMethod } from '../methods/methods.js';
import { describePreprocessing } from '../model/preprocess.js';
import { weightsAsSent } from '../model/wire-weights.js';
import { widen } from '../transport/widen.js';
import { ExportError } from './error.js';
import type { ExportedNetwork } from './network.js';

/**
 * The network of a run with the weights that the run's evaluation uses.
 * @param remedy what to do where the network alone makes no codes: the end of the error's sentence
 * @throws ExportError `EXPORT_METHOD` for a method on features
 */
export function networkOfRun(run: TrainedRun, remedy: string): ExportedNetwork {
  const { spec, layout, weights } = run;
  if (featureMethod(spec.method)) {
    throw new ExportError(
      'EXPORT_METHOD',
      `${run.directory} has the method ${spec.method}, which makes codes from features with a hash function of its own, so its network alone makes none; ${remedy}`,
    );
  }
  const sent = weightsAsSent(weights, spec.wire.precision);
  const parameters = new Float32Array(layout.parameterCount);
  if (sent.parameters instanceof Uint16Array) widen(sent.parameters, parameters);
  else parameters.set(sent.parameters);
  return {
    layout,
    weights: { parameters, mean: sent.mean, variance: sent.variance },
    metadata: {
      run: run.name,
      checkpoint: run.checkpoint,
      method: spec.method,
      backbone: spec.model.backbone,
      width: String(spec.model.width),
      bits: String(spec.bits),
      imageSize: String(spec.model.imageSize),
      preprocessing: describePreprocessing(layout.trunk.preprocessing),
    },
  };
}
