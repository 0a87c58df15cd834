import { isAbsent } from '../run/presence.js';
import type { TrainingRunSpec } from '../run/training-run.js';

/** A sentence, without its full stop, for each file or folder that a run needs and that is not there. */
export async function missingFiles({ dataset, model }: TrainingRunSpec): Promise<string[]> {
  const needed = [
    { what: 'the dataset folder', path: dataset.path, page: 'docs/datasets.md' },
    ...(model.weights === null
      ? []
      : [{ what: 'the weights', path: model.weights, page: 'docs/weights.md' }]),
  ];
  const sentences = await Promise.all(
    needed.map(async ({ what, path, page }) =>
      (await isAbsent(path)) ? [`The run also needs ${what} ${path}, which is missing here (${page})`] : [],
    ),
  );
  return sentences.flat();
}
