import { trainingSettings } from '../run/training-hash.js';
import type { TrainingRun } from '../run/training-run.js';

/** What a view of a run says of its settings. */
export function settingsView(run: TrainingRun) {
  const { method, bits, seed, model, schedule } = run.spec;
  const { iterations, epochs } = schedule;
  return {
    ...{ method, bits, seed, iterations, epochs },
    backbone: model.backbone,
    settings: trainingSettings(run),
  };
}
