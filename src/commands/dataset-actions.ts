import { type Console, openConsole } from '../console/console.js';
import type { ProgressTask } from '../console/progress.js';
import { checkDataset } from '../data/check.js';
import { digestMemory } from '../data/content/digest-pictures.js';
import { DatasetError } from '../data/error.js';
import { makeSyntheticDataset } from '../data/synthetic/make.js';
import { defaultSyntheticSettings } from '../data/synthetic/settings.js';
import type { CheckDatasetOptions, MakeDatasetOptions } from './dataset.js';

/** `fcaenet dataset make`. Throws the errors of `makeSyntheticDataset`. */
export async function makeDataset(directory: string, options: MakeDatasetOptions): Promise<void> {
  const console = openConsole('beside');
  try {
    await makeDatasetOn(console, directory, options);
  } finally {
    console.close();
  }
}

/** The same on an open console. */
export async function makeDatasetOn(
  console: Console,
  directory: string,
  { species, train, test, size, seed }: MakeDatasetOptions,
): Promise<void> {
  const defaults = defaultSyntheticSettings;
  const settings = {
    species: species ?? defaults.species,
    trainPerSpecies: train ?? defaults.trainPerSpecies,
    testPerSpecies: test ?? defaults.testPerSpecies,
    size: size ?? defaults.size,
    seed: seed ?? defaults.seed,
  };
  const progress = new Progress(console, 'drawing');
  await makeSyntheticDataset(directory, settings, progress.update);
  console.log.info('dataset ready', { directory, ...settings });
}

/**
 * `fcaenet dataset check`.
 * @throws DatasetError, after the report: DATASET_IMAGE_DAMAGED when pictures cannot be decoded,
 * DATASET_FINGERPRINT_DIFFERENT when another fingerprint is expected, DATASET_COUNTS_WRONG when the counts differ from
 * the published ones
 */
export async function inspectDataset(directory: string, options: CheckDatasetOptions): Promise<void> {
  const console = openConsole('result');
  try {
    const progress = {
      listing: new Progress(console, 'listing'),
      reading: new Progress(console, 'reading'),
      decoding: new Progress(console, 'decoding'),
    };
    const {
      damagedImages = [],
      truncatedImages = [],
      unofficial,
      ...report
    } = await checkDataset(directory, {
      deep: options.deep,
      // A fingerprint is stricter than counts.
      subset: options.subset || options.fingerprint !== undefined,
      memory: digestMemory(options.cache, console.log),
      onProgress: (what, done, total) => progress[what].update(done, total),
    });
    console.log.info('dataset', { directory, ...report });
    for (const sentence of truncatedImages)
      console.log.warn(`the missing part is filled with grey: ${sentence}`);
    for (const sentence of damagedImages) console.log.warn(sentence);
    if (damagedImages.length > 0) {
      const [first] = damagedImages;
      throw new DatasetError(
        'DATASET_IMAGE_DAMAGED',
        `${damagedImages.length} of ${report.train + report.test} images in ${directory} cannot be decoded, the first: ${first}`,
      );
    }
    if (options.fingerprint !== undefined && options.fingerprint !== report.fingerprint) {
      throw new DatasetError(
        'DATASET_FINGERPRINT_DIFFERENT',
        `${directory} has the fingerprint ${report.fingerprint}, expected ${options.fingerprint}: its ${report.train} train and ${report.test} test images differ in number, content, classes or splits`,
      );
    }
    if (unofficial !== undefined) throw new DatasetError('DATASET_COUNTS_WRONG', unofficial);
  } finally {
    console.close();
  }
}

/** A progress task that starts with the first report and ends with the last. */
class Progress {
  private task: ProgressTask | null = null;

  constructor(
    private readonly console: Console,
    private readonly name: string,
  ) {}

  readonly update = (done: number, total: number): void => {
    this.task ??= this.console.startTask({ name: this.name, total, unit: 'images' });
    this.task.update(done);
    if (done === total) this.task.finish();
  };
}
