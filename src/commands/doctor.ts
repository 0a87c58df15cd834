import { type Command, Option } from 'commander';
import { type EngineName, engineNames, type TrainingRun } from '../run/training-run.js';
import { addExamples, collect, readRun } from './options.js';
import { UsageError } from './usage.js';

export interface DoctorOptions {
  /** The run that the engines are measured with; undefined takes the preset `quick`. */
  readonly run: TrainingRun | undefined;
  /** How the run was named on the command line, to name it again. */
  readonly runArguments: readonly string[];
  /** Print one JSON document instead of a table. */
  readonly json: boolean;
  /** Measure this engine in this process, and print what it gives; undefined looks at all, each in its own process. */
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

/** `fcaenet doctor`: which engines run here, how fast, and what to do about the others; or what manifests lack. */
export function registerDoctor(program: Command, actions: DoctorActions): void {
  const command = program
    .command('doctor')
    .description('say what is missing before a run can start: which engines run here, and how fast')
    .argument('[RUN.yaml]', 'measure with this run’s network; fails when the run’s engine cannot run')
    .option('--set <path=value>', 'change a setting of the run file; may be repeated', collect, [])
    .option('--json', 'print JSON instead of a table', false)
    .option(
      '--kube <manifests>',
      'Kubernetes manifests of a run instead: a folder of deploy/overlays, a file, or - for standard input',
    )
    .addOption(new Option('--engine <name>').choices(engineNames).hideHelp());
  addExamples(command, [
    'npx fcaenet doctor',
    'npx fcaenet doctor examples/quick.yaml --json',
    'npx fcaenet doctor --kube deploy/overlays/cpu-synthetic',
  ]);
  command.action(async (path: string | undefined, { set, json, engine, kube }: Flags) => {
    if (kube !== undefined) {
      if (path !== undefined || json || set.length > 0) {
        throw new UsageError('doctor looks at manifests with --kube alone, or at engines without it');
      }
      await actions.examineKube({ manifests: kube });
      return;
    }
    if (path === undefined && set.length > 0)
      throw new UsageError('doctor has a run file to --set only where it is named');
    const run = path === undefined ? undefined : readRun(path, { set });
    const runArguments = path === undefined ? [] : [path, ...set.map((change) => `--set=${change}`)];
    await actions.examineEngines({ run, runArguments, json, engine });
  });
}
