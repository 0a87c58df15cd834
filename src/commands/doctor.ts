import type { Command } from 'commander';
import { addExamples } from './options.js';
import { UsageError } from './usage.js';

export interface DoctorKubeOptions {
  /** A folder with a kustomization, a file of manifests, or `-` for standard input. */
  readonly manifests: string;
}

/** `fcaenet doctor`: whether what is here would run, and what is missing. */
export function registerDoctor(
  program: Command,
  examineKube: (options: DoctorKubeOptions) => Promise<void>,
): void {
  const command = program
    .command('doctor')
    .description('say what is missing before a run can start')
    .option(
      '--kube <manifests>',
      'Kubernetes manifests of a run: a folder of deploy/overlays, a file, or - for standard input',
    );
  addExamples(command, ['npx fcaenet doctor --kube deploy/overlays/cpu-synthetic']);
  command.action(async ({ kube }: { readonly kube?: string }) => {
    if (kube === undefined) throw new UsageError('doctor needs --kube <manifests>');
    await examineKube({ manifests: kube });
  });
}
