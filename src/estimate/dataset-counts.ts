import { listDataset } from '../data/dataset.js';
import { DatasetError } from '../data/error.js';
import { officialCounts } from '../data/layouts/layouts.js';
import { isAbsent } from '../run/presence.js';
import { type DatasetKind, datasetKinds, type TrainingRun } from '../run/training-run.js';
import type { DatasetCounts } from './work.js';

/**
 * Counts of the dataset. If it does not exist yet, the published counts of the dataset that the run file names.
 * @throws DatasetError DATASET_FOLDER_MISSING if it does not exist and the run file names none, and those of
 * `listDataset`
 */
export async function countsOf({
  spec,
}: TrainingRun): Promise<DatasetCounts & { format: DatasetKind; source: string }> {
  const { path, kind } = spec.dataset;
  const isMissing = await isAbsent(path);
  if (kind !== null && isMissing) {
    const { classes, train, test } = officialCounts[kind];
    return { classes, train, test, format: kind, source: 'published' };
  }
  if (isMissing) {
    throw new DatasetError(
      'DATASET_FOLDER_MISSING',
      `the dataset folder ${path} does not exist; to use the published counts of a dataset, give one of ` +
        `${datasetKinds.join(', ')} with --set spec.dataset.kind=NAME`,
    );
  }
  const { classNames, train, test, format } = await listDataset(path);
  return {
    classes: classNames.length,
    train: train.labels.length,
    test: test.labels.length,
    format,
    source: 'folder',
  };
}
