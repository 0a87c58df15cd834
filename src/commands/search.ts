import type { Command } from 'commander';
import { addTrainedRunOptions, type TrainedRunFlags } from './encode.js';
import { addExamples, wholeNumber } from './options.js';

export interface SearchOptions {
  readonly runDirectory: string;
  readonly checkpoint: string;
  readonly engine: TrainedRunFlags['engine'];
  readonly images: readonly string[];
  readonly top: number;
  /** File of a page; undefined writes none. */
  readonly html: string | undefined;
  readonly json: boolean;
  readonly database: string | undefined;
  readonly data: string | undefined;
}

interface SearchFlags extends TrainedRunFlags, DatabaseFlags {
  readonly top: number;
  readonly html?: string;
  readonly json: boolean;
}

/** The values of the options that {@link addDatabaseOptions} adds. */
export interface DatabaseFlags {
  readonly database?: string;
  readonly data?: string;
}

/** Adds `--database` and `--data` to a command. */
export function addDatabaseOptions(command: Command): Command {
  return command
    .option(
      '--database <file>',
      'codes.npy of "fcaenet encode" (default: the images that the run was trained on)',
    )
    .option('--data <dir>', 'the folder of the database’s pictures, if it is not the run’s dataset');
}

/** `fcaenet search`: the pictures of a database that are nearest to images. */
export function registerSearch(program: Command, search: (options: SearchOptions) => Promise<void>): void {
  const command = program
    .command('search')
    .description('find the pictures whose codes are nearest to those of images');
  addTrainedRunOptions(command)
    .argument('<IMAGE...>', 'files of pictures')
    .option('--top <count>', 'pictures to find for each image', wholeNumber(1, 1000), 10)
    .option('--html <file>', 'write a page with the pictures, in one file')
    .option('--json', 'print JSON instead of tables', false);
  addDatabaseOptions(command);
  addExamples(command, [
    'npx fcaenet search runs/quick photo.jpg',
    'npx fcaenet search runs/cub a.jpg b.jpg --top 20 --html nearest.html',
    'npx fcaenet search runs/cub photo.jpg --database photos.npy --data photos --json',
  ]);
  command.action(async (runDirectory: string, images: string[], flags: SearchFlags) => {
    const { checkpoint, engine, top, html, json, database, data } = flags;
    await search({ runDirectory, checkpoint, engine, images, top, html, json, database, data });
  });
}
