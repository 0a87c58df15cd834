import type { Log } from '../../console/log.js';
import type { Dataset } from '../../data/dataset.js';
import { KeyedRandom } from '../../data/random.js';
import { initialWeights } from '../../model/initial.js';
import type { ModelLayout } from '../../model/layout.js';
import { loadBackboneWeights } from '../../model/weights/weights-file.js';
import type { TrainingRunSpec } from '../../run/training-run.js';
import { RunState } from './run-state.js';

/**
 * The state before the first step: initial weights drawn by key, or a pretrained backbone with a new hash layer.
 * @throws what reading the weights throws
 */
export async function firstState(
  spec: TrainingRunSpec,
  layout: ModelLayout,
  dataset: Pick<Dataset, 'train'>,
  log: Log,
): Promise<RunState> {
  const weights = initialWeights(layout, new KeyedRandom(spec.seed));
  const databaseSize = dataset.train.labels.length;
  if (spec.model.weights === null) return RunState.initial(spec, weights, databaseSize);
  const backbone = await loadBackboneWeights(layout, spec.model.weights, weights);
  log.info('backbone weights', { path: spec.model.weights, sha256: backbone.sha256 });
  return RunState.initial(spec, backbone, databaseSize);
}
