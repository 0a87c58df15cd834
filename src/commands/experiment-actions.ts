import { join } from 'node:path';
import type { Equality } from '../experiments/cell.js';
import { ExperimentError } from '../experiments/error.js';
import { figureOfTable1, paperBits } from '../experiments/paper-figures.js';
import { planGrid } from '../experiments/plan-grid.js';
import {
  carryOutExperiment,
  type Experiment,
  planExperiment,
  writeExperimentManifests,
} from '../experiments/show-experiment.js';
import { planTuning, tune as searchSettings } from '../experiments/tune/tune.js';
import { ablationRows, ablationVariants, methodVariants, tableMethods } from '../experiments/variants.js';
import { usesErasing } from '../methods/methods.js';
import { readTrainingRun, readTrainingRuns } from '../run/read.js';
import type { TrainingRun } from '../run/training-run.js';
import { version } from '../run/version.js';
import type { AblateOptions } from './ablate.js';
import type { ExperimentOptions } from './experiment-options.js';
import type { TableOptions } from './table.js';
import type { TuneOptions } from './tune.js';

/** `fcaenet table`. Throws the errors of planning and carrying out the experiment. */
export async function table(options: TableOptions): Promise<void> {
  const variants = methodVariants(options.methods ?? tableMethods);
  await carryOut(
    options,
    experimentOf(options, {
      ...{ name: 'table', variants, paperTable: 'Table 1', paperFigure: figureOfTable1 },
      title: (run) => `Methods on ${run.metadata.name}`,
      folder: 'tables',
      bits: paperBits,
      equalities: null,
    }),
  );
}

/** `fcaenet ablate`. Throws the same, and ExperimentError EXPERIMENT_NOT_ERASING. */
export async function ablate(options: AblateOptions): Promise<void> {
  const { ablation, runFile, overrides } = options;
  const { paperTable, paperFigure, values } = ablationRows[ablation];
  const base = readTrainingRun(runFile, overrides);
  const ofMethods = ablation === 'components';
  if (!ofMethods && !usesErasing(base.spec.method)) {
    throw new ExperimentError(
      'EXPERIMENT_NOT_ERASING',
      `ablate ${ablation} needs a method with erased copies, such as fcaenet, but spec.method is ${base.spec.method}`,
    );
  }
  await carryOut(
    options,
    experimentOf(options, {
      ...{ name: 'ablation', paperTable, paperFigure },
      variants: ablationVariants(ablation, options.values ?? values),
      title: (run) => `Ablation of ${ablation} on ${run.metadata.name}`,
      folder: join('ablations', ablation),
      bits: ofMethods ? paperBits : [base.spec.bits],
      // Regions and sizes see equal images at equal steps.
      equalities: ofMethods ? null : ['steps'],
    }),
  );
}

/** `fcaenet tune`. Throws the errors of the search. */
export async function tune({
  runFile,
  overrides,
  output,
  plan,
  imagesPerSecond,
  ...options
}: TuneOptions): Promise<void> {
  const file = readTrainingRuns(runFile);
  const resolve = (settings: readonly string[]) => file([...overrides, ...settings]);
  const run = resolve([]);
  const search = { ...options, run, resolve, output: output ?? join('tuning', run.metadata.name) };
  if (plan) await planTuning(search, imagesPerSecond);
  else await searchSettings(search);
}

interface Kind extends Pick<Experiment, 'name' | 'paperFigure'> {
  readonly variants: Experiment['plan']['variants'];
  readonly paperTable: string;
  readonly title: (run: TrainingRun) => string;
  /** Folder of the outputs of these experiments. */
  readonly folder: string;
  /** If the command line names none. */
  readonly bits: readonly number[];
  readonly equalities: readonly Equality[] | null;
}

function experimentOf(options: ExperimentOptions, kind: Kind): Experiment {
  const { runFile, overrides, tuned, seedCount, equal } = options;
  const { name, variants, paperTable, paperFigure } = kind;
  const bits = options.bits ?? kind.bits;
  const resolve = readTrainingRuns(runFile);
  const base = resolve([...overrides, `spec.bits=${bits[0]!}`]);
  const output = options.output ?? join(kind.folder, base.metadata.name);
  const equalities = equal ?? kind.equalities;
  return {
    name,
    heading: { title: kind.title(base), runFile, overrides, version, paperTable },
    plan: planGrid({ variants, bits, seedCount, equalities, output, tuned, overrides, resolve }),
    paperFigure,
    output,
  };
}

async function carryOut(
  { action, manifests, imagesPerSecond }: ExperimentOptions,
  experiment: Experiment,
): Promise<void> {
  if (action === 'plan') await planExperiment(experiment, imagesPerSecond);
  else if (action === 'manifests') await writeExperimentManifests(experiment, manifests!);
  else await carryOutExperiment(experiment, action === 'report');
}
