import { type Command, Option } from 'commander';
import { type CodeFormat, codeFormats } from '../encoding/code-format.js';
import { type EngineName, engineNames } from '../run/training-run.js';
import { addExamples, addWorkersOption } from './options.js';

/** Which network a command uses, and what computes it. */
export interface TrainedRunOptions {
  /** A run's directory, `runs/NAME`. */
  readonly runDirectory: string;
  /** `last`, `best`, or a checkpoint's name. */
  readonly checkpoint: string;
  /** Undefined uses the run's. */
  readonly engine: 'auto' | EngineName | undefined;
  readonly workers: number;
}

export interface EncodeOptions extends TrainedRunOptions {
  /** A folder of pictures, or a list of them. */
  readonly pictures: string;
  readonly output: string;
  readonly format: CodeFormat;
}

/** The values of the options that {@link addTrainedRunOptions} adds. */
export interface TrainedRunFlags {
  readonly checkpoint: string;
  readonly engine?: 'auto' | EngineName;
}

/** Adds the run directory, `--checkpoint` and `--engine` to a command. */
export function addTrainedRunOptions(command: Command): Command {
  return command
    .argument('<RUN_DIR>', 'the run’s directory, such as runs/quick')
    .option('--checkpoint <name>', 'last, best, or the name of a checkpoint', 'last')
    .addOption(
      new Option('--engine <name>', 'what computes the network (default: the run’s setting)').choices([
        'auto',
        ...engineNames,
      ]),
    );
}

/** `fcaenet encode`: the codes of new pictures. */
export function registerEncode(program: Command, encode: (options: EncodeOptions) => Promise<void>): void {
  const command = program
    .command('encode')
    .description('write the codes that a trained run gives to pictures');
  addTrainedRunOptions(command)
    .argument('<DIR|LIST>', 'a folder of pictures, or a text file with a path in each line')
    .option('--output <file>', 'the file of codes (default: codes.npy, codes.csv or codes.faiss)')
    .addOption(
      new Option('--format <name>', 'npy: packed bits; csv: paths and bits; faiss: an IndexBinaryFlat')
        .choices(codeFormats)
        .default('npy'),
    );
  addWorkersOption(command, 'processes that encode (default: 1)');
  addExamples(command, [
    'npx fcaenet encode runs/quick photos',
    'npx fcaenet encode runs/cub photos.txt --format faiss --output photos.faiss --workers 4',
  ]);
  command.action(
    async (
      runDirectory: string,
      pictures: string,
      flags: TrainedRunFlags & { output?: string; format: CodeFormat; workers?: number },
    ) => {
      const { checkpoint, engine, format, output = `codes.${format}`, workers = 1 } = flags;
      await encode({ runDirectory, checkpoint, engine, pictures, output, format, workers });
    },
  );
}
