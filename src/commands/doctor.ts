import { type Command, Option } from 'commander';
import { type EngineName, engineNames, type TrainingRun } from '../run/training-run.js';
import { addExamples, collect, readRun } from './options.js';
import { UsageError } from './usage.js';

export interface DoctorOptions {
  /** The run whose network is used for measurements; undefined uses the preset `quick`. */
  readonly run: TrainingRun | undefined;
  /** The command-line arguments that named the run, to pass them on. */
  readonly runArguments: readonly string[];
  /** Print one JSON document instead of a table. */
  readonly json: boolean;
  /**
   * Measure only this engine in this process, and print the result; undefined measures all, each in its own process.
   */
  readonly engine: EngineName | undefined;
}

export interface DoctorKubeOptions {
  /** A folder with a kustomization, a file of manifests, or `-` for standard input. */
  readonly manifests: string;
}

export interface DoctorActions {
  examineEngines(options: DoctorOptions): Promise<void>;
  examineKube(options: DoctorKubeOptions): Promise<void>;
}

interface Flags {
  readonly set: readonly string[];
  readonly json: boolean;
  readonly engine?: EngineName;
  readonly kube?: string;
}

/** `fcaenet doctor`: which engines run here, how fast, and how to fix the others; or which faults manifests have. */
export function registerDoctor(program: Command, actions: DoctorActions): void {
  const command = program
    .command('doctor')
    .description('check that a run can start here: which engines run, and how fast')
    .argument('[RUN.yaml]', 'use this run’s network; fails when the run’s engine cannot run')
    .option('--set <path=value>', 'change a setting of the run file; may be repeated', collect, [])
    .option('--json', 'print JSON instead of a table', false)
    .option(
      '--kube <manifests>',
      'check Kubernetes manifests of a run instead: a folder of deploy/overlays, a file, or - for standard input',
    )
    .addOption(new Option('--engine <name>').choices(engineNames).hideHelp());
  addExamples(command, [
    'npx fcaenet doctor',
    'npx fcaenet doctor examples/quick.yaml --json',
    'npx fcaenet doctor --kube deploy/overlays/cpu-synthetic',
  ]);
  command.action(async (path: string | undefined, { set, json, engine, kube }: Flags) => {
    if (kube !== undefined) {
      if (path !== undefined || set.length > 0) {
        throw new UsageError('doctor checks manifests with --kube, or engines without it, not both');
      }
      await actions.examineKube({ manifests: kube });
      return;
    }
    if (path === undefined && set.length > 0)
      throw new UsageError('doctor accepts --set only with a run file');
    const run = path === undefined ? undefined : readRun(path, { set, setFrom: [] });
    const runArguments = path === undefined ? [] : [path, ...set.map((change) => `--set=${change}`)];
    await actions.examineEngines({ run, runArguments, json, engine });
  });
}
