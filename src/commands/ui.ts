import type { Command } from 'commander';
import type { UiOptions } from '../inspection/ui/show-ui.js';
import { defaultOperation } from '../run/presets.js';
import { addExamples, wholeNumber } from './options.js';

/** `fcaenet ui [DIR]`: the page of all runs of a folder. */
export function registerUi(program: Command, showUi: (options: UiOptions) => Promise<void>): void {
  const command = program
    .command('ui')
    .description(
      'serve a page of the runs in a folder, finished ones too, to look at and compare in a browser',
    )
    .argument(
      '[DIR]',
      'the folder that holds the runs, or one run’s directory',
      defaultOperation.runsDirectory,
    )
    .option('--port <port>', 'port on 127.0.0.1 (default: a free one)', wholeNumber(0, 65_535), 0);
  addExamples(command, ['npx fcaenet ui', 'npx fcaenet ui /data/runs --port 9465']);
  command.action((folder: string, { port }: { port: number }) => showUi({ folder, port }));
}
