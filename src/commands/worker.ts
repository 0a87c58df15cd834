import { type Command, Option } from 'commander';
import { defaultOperation } from '../run/presets.js';
import { type EngineName, engineNames } from '../run/training-run.js';
import { addExamples, dialledAddress } from './options.js';

export interface WorkerOptions {
  /** The coordinator, HOST:PORT. */
  readonly connect: string;
  /** The dataset's folder on this machine. */
  readonly data: string;
  /** Undefined takes the run's. */
  readonly engine: EngineName | undefined;
  /** Folder of decoded images, shared by the workers of a machine. */
  readonly cache: string;
}

/** `fcaenet worker`: computes microbatches for a coordinator until the run ends. */
export function registerWorker(program: Command, work: (options: WorkerOptions) => Promise<void>): void {
  const command = program
    .command('worker')
    .description('compute for a coordinator, before or during its run')
    .requiredOption('--connect <host:port>', 'where the coordinator listens', dialledAddress)
    .requiredOption('--data <dir>', 'the dataset on this machine')
    .addOption(new Option('--engine <name>', 'what computes (default: as the run says)').choices(engineNames))
    .option('--cache <dir>', 'folder of decoded images', defaultOperation.cache.directory);
  addExamples(command, ['npx fcaenet worker --connect 192.168.1.10:7400 --data data/CUB_200_2011']);
  command.action(async ({ connect, data, engine, cache }: WorkerOptions) => {
    await work({ connect, data, engine, cache });
  });
}
