import { FcaenetError } from '../errors.js';
import { parseTrainingRun } from '../run/read.js';
import type { TrainingRun } from '../run/training-run.js';
import { KubeError } from './error.js';
import { missingValues } from './fill-ins.js';
import { commandLineOf, configMapOf, jobsOf, type NamedJob } from './jobs.js';
import type { Manifest } from './manifest.js';

/** One thing that must be so for a run to start. */
export interface KubeCheck {
  readonly name: string;
  readonly ok: boolean;
  /** What was found, or what is missing and what to put there. */
  readonly text: string;
}

/**
 * Whether manifests, as `kubectl kustomize` prints them, would start a run: that every value is filled in, and that the
 * coordinator would accept its run file. It asks no cluster.
 * @throws KubeError KUBE_NO_RUN where there are no coordinator and workers, KUBE_MANIFESTS_INVALID
 */
export function examineManifests(manifests: readonly Manifest[]): KubeCheck[] {
  const jobs = jobsOf(manifests);
  const coordinator = jobNamed(jobs, 'coordinator');
  const workers = jobNamed(jobs, 'workers');
  const missing = missingValues(manifests);
  const run = readRun(manifests, coordinator);
  return [
    ...missing.map(({ value, mark, expected, places }) => ({
      name: value,
      ok: false,
      text: `${mark} stands in ${places.join(', ')}; put there ${expected}`,
    })),
    ...(missing.length === 0 ? [{ name: 'values', ok: true, text: 'all are filled in' }] : []),
    'error' in run
      ? { name: 'run file', ok: false, text: run.error }
      : { name: 'run file', ok: true, text: describeRun(run.run) },
    checkWorkers(workers, 'run' in run ? run.run : null),
    { name: 'secrets', ok: true, text: `to be created before: ${secretsOf(jobs).join(', ')}` },
  ];
}

function jobNamed(jobs: readonly NamedJob[], name: string): NamedJob {
  const found = jobs.find((job) => job.name === name);
  if (found) return found;
  throw new KubeError(
    'KUBE_NO_RUN',
    `there is no Job ${name} among the manifests, but a run has the Jobs coordinator and workers`,
  );
}

/** The run as the coordinator's command line gives it. */
function readRun(
  manifests: readonly Manifest[],
  { spec }: NamedJob,
): { readonly run: TrainingRun } | { readonly error: string } {
  const { containers, volumes } = spec.template.spec;
  const overrides = commandLineOf(containers[0]!, manifests)
    .filter((word) => word.startsWith('--set='))
    .map((word) => word.slice('--set='.length));
  const name = volumes.find((volume) => volume.name === 'run')?.configMap?.name ?? 'run';
  const text = configMapOf(manifests, name)?.['run.yaml'];
  if (text === undefined) return { error: `ConfigMap ${name} has no run.yaml, which must be a run file` };
  try {
    return { run: parseTrainingRun(text, `run.yaml of ConfigMap ${name}`, overrides) };
  } catch (error) {
    if (error instanceof FcaenetError) return { error: error.message };
    throw error;
  }
}

function describeRun({ metadata, spec }: TrainingRun): string {
  return `${metadata.name}: ${spec.method}, ${spec.bits} bits, ${spec.model.backbone}, ${spec.schedule.iterations} iterations`;
}

function checkWorkers({ spec: { parallelism, completions } }: NamedJob, run: TrainingRun | null): KubeCheck {
  const name = 'workers';
  if (parallelism !== completions) {
    const text = `parallelism is ${parallelism}, but must be the number of completions, ${completions}`;
    return { name, ok: false, text };
  }
  const { maxWorkers, minWorkers } = run?.spec.operation.membership ?? { maxWorkers: 1024, minWorkers: 1 };
  if (parallelism > maxWorkers || parallelism < minWorkers) {
    const text = `there are ${parallelism}, but spec.operation.membership asks for ${minWorkers} to ${maxWorkers}`;
    return { name, ok: false, text };
  }
  const spares = Math.max(0, parallelism - (run?.spec.schedule.microbatches ?? parallelism));
  const idle = spares === 0 ? '' : `, of which ${spares} only stand by: spec.schedule.microbatches is fewer`;
  return { name, ok: true, text: `${parallelism}${idle}` };
}

function secretsOf(jobs: readonly NamedJob[]): string[] {
  const volumes = jobs.flatMap(({ spec }) => spec.template.spec.volumes);
  return [...new Set(volumes.flatMap(({ secret }) => (secret ? [secret.secretName] : [])))].sort();
}
