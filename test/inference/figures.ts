import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadDataset } from '../../src/data/dataset.js';
import { TrainedNetwork } from '../../src/inference/trained-network.js';
import { readTrainedRun } from '../../src/inference/trained-run.js';
import { evaluateRetrieval } from '../../src/retrieval/evaluate.js';
import type { SmallRun } from '../kit/small-run.js';

/** The dataset of small runs, and its queries in order. */
export async function queriesOf({ folder }: SmallRun) {
  const dataset = await loadDataset(join(folder, 'data'));
  const files = dataset.test.paths.map((path) => join(dataset.imagesRoot, path));
  const pictures = await Promise.all(
    files.map(async (file) => ({ name: file, bytes: await readFile(file) })),
  );
  return { dataset, pictures };
}

/** Figures of the codes that the trained network of a run makes of all queries. */
export async function figuresOf(small: SmallRun, name: string) {
  const { dataset, pictures } = await queriesOf(small);
  const run = await readTrainedRun(join(small.folder, 'runs', name));
  const trained = await TrainedNetwork.load(run);
  const { mAP, tieAveragedMAP } = await evaluateRetrieval({
    queryCodes: await trained.codesOfPictures(pictures),
    queryLabels: dataset.test.labels,
    databaseCodes: run.databaseCodes,
    databaseLabels: dataset.train.labels,
    bits: run.layout.bits,
    classCount: dataset.classNames.length,
    precisionAt: [],
  });
  trained.dispose();
  return { mAP, tieAveragedMAP };
}
