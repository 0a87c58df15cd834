import type { Command } from 'commander';
import { defaultSyntheticSettings } from '../data/synthetic/settings.js';
import { defaultOperation } from '../run/presets.js';
import { addExamples, sha256Digest, wholeNumber } from './options.js';

/** Undefined settings use the generator's defaults. */
export interface MakeDatasetOptions {
  readonly species?: number;
  readonly train?: number;
  readonly test?: number;
  readonly size?: number;
  readonly seed?: number;
}

export interface CheckDatasetOptions {
  /** Decode every picture. */
  readonly deep: boolean;
  /** Accept other counts than the published dataset's. */
  readonly subset: boolean;
  /** The required fingerprint, checked instead of the published counts; undefined accepts any. */
  readonly fingerprint: string | undefined;
  /** Folder of the file in which this machine stores digests of its pictures. */
  readonly cache: string;
}

interface CheckFlags {
  readonly deep: boolean;
  readonly subset: boolean;
  readonly fingerprint?: string;
  readonly cache: string;
}

export interface DatasetActions {
  make(directory: string, options: MakeDatasetOptions): Promise<void>;
  check(directory: string, options: CheckDatasetOptions): Promise<void>;
}

/** `fcaenet dataset make` and `fcaenet dataset check`. */
export function registerDataset(program: Command, actions: DatasetActions): void {
  const defaults = defaultSyntheticSettings;
  const dataset = program.command('dataset').description('make a synthetic dataset, or check one');
  const make = dataset
    .command('make')
    .description(
      'make a synthetic fine-grained dataset in the layout of CUB-200-2011, with the same pixels on every machine',
    )
    .argument('<DIR>', 'a folder that is new, empty, or has an older synthetic dataset, which is replaced')
    .option(
      '--species <count>',
      `number of species, which only differ in small parts (default: ${defaults.species})`,
      wholeNumber(2, 20),
    )
    .option(
      '--train <count>',
      `training pictures of each species (default: ${defaults.trainPerSpecies})`,
      wholeNumber(1, 10_000),
    )
    .option(
      '--test <count>',
      `test pictures of each species (default: ${defaults.testPerSpecies})`,
      wholeNumber(1, 10_000),
    )
    .option('--size <pixels>', `side of a picture (default: ${defaults.size})`, wholeNumber(32, 512))
    .option(
      '--seed <number>',
      `key of every random choice (default: ${defaults.seed})`,
      wholeNumber(0, Number.MAX_SAFE_INTEGER),
    );
  addExamples(make, [
    'npx fcaenet dataset make data/synthetic',
    'npx fcaenet dataset make data/small --species 5 --train 20 --test 5',
  ]);
  make.action(async (directory: string, options: MakeDatasetOptions) => {
    await actions.make(directory, options);
  });
  const check = dataset
    .command('check')
    .description('recognise a dataset, count its pictures and report faults')
    .argument(
      '<DIR>',
      'CUB-200-2011, FGVC-Aircraft, NABirds, VegFru or Food-101 as downloaded and unpacked, or your own pictures in the layout of CUB-200-2011',
    )
    .option('--deep', 'read and decode every picture', false)
    .option('--subset', 'accept other counts than those of the published dataset', false)
    .option(
      '--fingerprint <sha256>',
      'require this fingerprint instead of the published counts',
      sha256Digest,
    )
    .option(
      '--cache <dir>',
      'folder for the digests of pictures, so that each picture is read once',
      defaultOperation.cache.directory,
    );
  addExamples(check, [
    'npx fcaenet dataset check data/nabirds',
    'npx fcaenet dataset check data/synthetic --deep',
    'npx fcaenet dataset check data/my-birds --subset --deep',
  ]);
  check.action(async (directory: string, { deep, subset, fingerprint, cache }: CheckFlags) => {
    await actions.check(directory, { deep, subset, fingerprint, cache });
  });
}
