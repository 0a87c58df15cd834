import { type Command, InvalidArgumentError } from 'commander';
import type { ExportOptions } from '../export/command.js';
import { type ExportFormat, exportFormats } from '../export/formats.js';
import { addExamples } from './options.js';

interface Flags {
  readonly format: readonly ExportFormat[];
  readonly output?: string;
  readonly checkpoint: string;
  readonly overwrite: boolean;
}

/** `fcaenet export`: the trained network and the codes of a run, as files of other programs. */
export function registerExport(program: Command, action: (options: ExportOptions) => Promise<void>): void {
  const command = program
    .command('export')
    .description('write a run’s network or codes as files for other programs, with a model card')
    .argument('<RUN_DIR>', 'the run’s directory, such as runs/quick')
    .requiredOption(
      '--format <names>',
      `${exportFormats.join(', ')}; several with commas between them, or the option repeated`,
      formatNames,
    )
    .option('--output <dir>', 'folder for the files (default: export in the run’s directory)')
    .option('--checkpoint <name>', 'last, best, or the name of a checkpoint', 'last')
    .option('--overwrite', 'replace files that exist', false);
  addExamples(command, [
    'npx fcaenet export runs/quick --format onnx,faiss',
    'npx fcaenet export runs/cub --format torch --checkpoint best --output models/cub',
  ]);
  command.action(async (runDirectory: string, { format, output, checkpoint, overwrite }: Flags) => {
    await action({ runDirectory, formats: format, output, checkpoint, overwrite });
  });
}

function formatNames(text: string, previous: readonly ExportFormat[] = []): ExportFormat[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !exportFormats.some((format) => format === name));
  if (unknown !== undefined) {
    throw new InvalidArgumentError(
      `It must be one or more of ${exportFormats.join(', ')}, with commas between them.`,
    );
  }
  return [...new Set([...previous, ...(names as ExportFormat[])])];
}
