import type { Command } from 'commander';
import { paperBits } from '../experiments/paper-figures.js';
import { type Method, methods } from '../methods/methods.js';
import {
  addExperimentOptions,
  type ExperimentFlags,
  type ExperimentOptions,
  experimentOptions,
  listOf,
  nameOf,
} from './experiment-options.js';
import { addExamples } from './options.js';

export interface TableOptions extends ExperimentOptions {
  /** The first is the one that the others are compared with; null is all of the paper's table. */
  readonly methods: readonly Method[] | null;
}

interface Flags extends ExperimentFlags {
  readonly methods?: readonly Method[];
}

/** `fcaenet table`: methods, code lengths and seeds, as in the paper's Table 1. */
export function registerTable(program: Command, table: (options: TableOptions) => Promise<void>): void {
  const command = program
    .command('table')
    .description('train methods at several code lengths and seeds, and compare them beside the paper’s table')
    .argument('<RUN.yaml>', 'the run file')
    .option(
      '--methods <names>',
      'methods with commas between them; the others are compared with the first (default: those of the paper)',
      listOf(nameOf(methods, 'method')),
    );
  addExperimentOptions(command, {
    bits: paperBits.join(','),
    equal: 'steps,images, and none if a method has a schedule of its own',
    folder: 'tables',
  });
  addExamples(command, [
    'npx fcaenet table examples/cub-24bit.yaml --methods fcaenet,baseline,itq --plan',
    'npx fcaenet table examples/cub-24bit.yaml --bits 12,24 --seeds 5 --output tables/cub',
    'npx fcaenet table examples/quick.yaml --methods fcaenet,baseline --bits 12 --seeds 1 --equal steps',
  ]);
  command.action(async (path: string, flags: Flags) => {
    await table({ ...experimentOptions(path, flags), methods: flags.methods ?? null });
  });
}
