import type { Dataset } from '../data/dataset.js';
import { KeyedRandom } from '../data/random.js';
import { TripletSampler } from '../data/sampler.js';
import type { TrainingRunSpec } from '../run/training-run.js';

/** The sampler of a run: which triplets each of its steps uses. Throws what `TripletSampler` throws. */
export function runSampler(spec: TrainingRunSpec, dataset: Pick<Dataset, 'train' | 'classNames'>) {
  return new TripletSampler({
    random: new KeyedRandom(spec.seed),
    labels: dataset.train.labels,
    classCount: dataset.classNames.length,
    sampleSize: spec.dataset.sampleSize,
    batchSize: spec.schedule.batchSize,
  });
}
