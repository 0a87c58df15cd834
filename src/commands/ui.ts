import { type Command, Option } from 'commander';
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
    .addOption(
      new Option('--port <port>', 'port on 127.0.0.1')
        .argParser(wholeNumber(0, 65_535))
        .default(0, 'a free one'),
    );
  addExamples(command, ['npx fcaenet ui', 'npx fcaenet ui /data/runs --port 9465']);
  command.action((folder: string, { port }: { port: number }) => showUi({ folder, port }));
}
