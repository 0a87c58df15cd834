import type { Command } from 'commander';
import { addExamples } from './options.js';

export interface AuditOptions {
  /** A run's directory, `runs/NAME`. */
  readonly runDirectory: string;
  /** Undefined uses the run's. */
  readonly data: string | undefined;
}

/** `fcaenet audit`: proof from the sample ledger that a run is complete and used every sample once per epoch. */
export function registerAudit(program: Command, audit: (options: AuditOptions) => Promise<void>): void {
  const command = program
    .command('audit')
    .description('prove that a finished run used every sample exactly once per epoch and is complete')
    .argument('<RUN_DIR>', 'the run’s directory, such as runs/quick')
    .option('--data <dir>', 'the dataset, if it has moved since the run');
  addExamples(command, ['npx fcaenet audit runs/quick', 'npx fcaenet audit runs/cub --data /data/birds']);
  command.action(async (runDirectory: string, { data }: { data?: string }) => {
    await audit({ runDirectory, data });
  });
}
