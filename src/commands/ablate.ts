import { Argument, type Command } from 'commander';
import { paperBits } from '../experiments/paper-figures.js';
import { type Ablation, ablations } from '../experiments/variants.js';
import {
  addExperimentOptions,
  type ExperimentFlags,
  type ExperimentOptions,
  experimentOptions,
  listOf,
} from './experiment-options.js';
import { addExamples, wholeNumber } from './options.js';
import { UsageError } from './usage.js';

export interface AblateOptions extends ExperimentOptions {
  readonly ablation: Ablation;
  /** Values of the setting, the reference first; null is the paper's. */
  readonly values: readonly number[] | null;
}

interface Flags extends ExperimentFlags {
  readonly values?: readonly number[];
}

/** `fcaenet ablate`: the paper's Tables 2, 3 and 4. */
export function registerAblate(program: Command, ablate: (options: AblateOptions) => Promise<void>): void {
  const command = program
    .command('ablate')
    .description('train with parts of the method left out, or with other erased regions, and compare')
    .addArgument(
      new Argument(
        '<what>',
        'parts of the method (Table 2), number of erased regions (Table 3), or their size (Table 4)',
      ).choices(ablations),
    )
    .argument('<RUN.yaml>', 'the run file')
    .option(
      '--values <numbers>',
      'of regions or size: other values than the paper’s; the others are compared with the first',
      listOf(wholeNumber(1, 1_048_576)),
    );
  addExperimentOptions(command, {
    bits: `${paperBits.join(',')} for components, else the run file’s`,
    equal: 'steps,images for components, else steps',
    folder: 'ablations/WHAT',
  });
  addExamples(command, [
    'npx fcaenet ablate components examples/food101-24bit.yaml --plan',
    'npx fcaenet ablate regions examples/food101-24bit.yaml --seeds 5',
    'npx fcaenet ablate size examples/quick.yaml --values 9,5,18 --seeds 1',
  ]);
  command.action(async (ablation: Ablation, path: string, flags: Flags) => {
    if (ablation === 'components' && flags.values) {
      throw new UsageError('ablate components accepts no --values; those of regions and size are numbers');
    }
    await ablate({ ...experimentOptions(path, flags), ablation, values: flags.values ?? null });
  });
}
