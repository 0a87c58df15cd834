import type { Command } from 'commander';
import { addExamples } from './options.js';
import { UsageError } from './usage.js';

/** Lines of a chart that can be told apart. */
const mostRuns = 4;

export interface ReportOptions {
  readonly runDirectories: readonly string[];
  /** Undefined names the file after the runs. */
  readonly output: string | undefined;
  /** Undefined uses the runs'. */
  readonly data: string | undefined;
}

/** `fcaenet report`: one HTML file with curves, retrieved images, attention, classes, codes and events of runs. */
export function registerReport(program: Command, report: (options: ReportOptions) => Promise<void>): void {
  const command = program
    .command('report')
    .description('write an HTML file with figures and images of a run, or of up to four side by side')
    .argument('<RUN_DIR...>', 'the runs’ directories, such as runs/quick')
    .option('--output <file>', 'the file to write (default: report-NAME.html in the current folder)')
    .option('--data <dir>', 'the dataset, if it has moved since the runs');
  addExamples(command, [
    'npx fcaenet report runs/quick',
    'npx fcaenet report runs/cub runs/cub-baseline --output cub.html',
  ]);
  command.action(async (runDirectories: string[], { output, data }: { output?: string; data?: string }) => {
    if (runDirectories.length > mostRuns) {
      throw new UsageError(
        `report got ${runDirectories.length} run directories, but compares at most ${mostRuns}`,
      );
    }
    await report({ runDirectories, output, data });
  });
}
