import { KubeError } from './error.js';
import {
  type Container,
  configMapSchema,
  type JobSpec,
  jobSchema,
  jobSetSchema,
  type Manifest,
  type PodTemplate,
  runtimeSchema,
  trainJobSchema,
} from './manifest.js';

export interface WorkerPods {
  readonly parallelism: number;
  readonly completions: number;
  /** Workers of each pod: one, or one for each of its GPUs. */
  readonly workersPerPod: number;
  /** Null when the manifests do not include their training runtime. */
  readonly template: PodTemplate | null;
}

/** The pods of a run. */
export interface RunJobs {
  /** Null when the manifests do not include their training runtime. */
  readonly coordinator: JobSpec | null;
  readonly workers: WorkerPods;
  /** The training runtime of a run with Kubeflow Trainer. */
  readonly runtime: { readonly name: string; readonly isThere: boolean } | null;
}

/**
 * Finds coordinator and workers: in standalone Jobs, in a JobSet, in a TrainJob with or without its runtime, or in a
 * runtime.
 * @throws KubeError KUBE_NO_RUN when there are none, KUBE_MANIFESTS_INVALID for those without pod templates
 */
export function runJobsOf(manifests: readonly Manifest[]): RunJobs {
  const trainJob = manifests.find(({ kind }) => kind === 'TrainJob');
  const runtime = manifests.find(
    ({ kind, metadata }) =>
      kind === 'ClusterTrainingRuntime' &&
      (trainJob === undefined || metadata.name === readTrainJob(trainJob).runtimeRef.name),
  );
  if (trainJob || runtime) return trainedJobs(trainJob, runtime);
  const jobs = new Map(manifests.flatMap(jobsIn));
  const [coordinator, workers] = ['coordinator', 'workers'].map((name) => {
    const found = jobs.get(name);
    if (found) return found;
    throw new KubeError(
      'KUBE_NO_RUN',
      `there is no Job ${name} among the manifests, but a run has the Jobs coordinator and workers, or a TrainJob`,
    );
  });
  const { parallelism, completions } = workers!;
  const { template } = workers!;
  const pods = { parallelism, completions, workersPerPod: workersPerPod(workers!), template };
  return { coordinator: coordinator!, workers: pods, runtime: null };
}

/** By this label Kueue knows the local queue of a Job. */
export const queueLabel = 'kueue.x-k8s.io/queue-name';

/** A run of a table, coordinator and workers in one pod. */
export interface CellJob {
  readonly name: string;
  readonly spec: JobSpec;
  /** Its local queue of Kueue, if there is one. */
  readonly queue: string | undefined;
}

/**
 * The runs of a table among the manifests.
 * @throws KubeError KUBE_MANIFESTS_INVALID for those without pod templates
 */
export function cellJobsOf(manifests: readonly Manifest[]): CellJob[] {
  return manifests.flatMap((manifest) => {
    const { kind, metadata } = manifest;
    if (kind !== 'Job' || metadata.labels?.['app.kubernetes.io/component'] !== 'cell') return [];
    const { spec } = read(jobSchema, manifest, 'spec.template with containers');
    return [{ name: metadata.name, spec, queue: metadata.labels[queueLabel] }];
  });
}

function workersPerPod({ template }: JobSpec): number {
  const [{ args, resources }] = template.spec.containers as [Container];
  return args.includes('--devices=all') ? Number(resources.limits['nvidia.com/gpu'] ?? 1) : 1;
}

/** A TrainJob says how many workers its runtime starts. The runtime belongs to the whole cluster. */
function trainedJobs(trainJob: Manifest | undefined, manifest: Manifest | undefined): RunJobs {
  const wanted = trainJob && readTrainJob(trainJob);
  const runtime = manifest && read(runtimeSchema, manifest, 'spec.template.spec.replicatedJobs').spec;
  const nodes = wanted?.trainer.numNodes ?? runtime?.mlPolicy.numNodes ?? 1;
  const replicated = runtime?.template.spec.replicatedJobs ?? [];
  return {
    coordinator: replicated.find(({ name }) => name === 'coordinator')?.template.spec ?? null,
    workers: {
      parallelism: nodes,
      completions: nodes,
      workersPerPod: 1,
      template: replicated.find(({ name }) => name === 'node')?.template.spec.template ?? null,
    },
    runtime: {
      name: wanted?.runtimeRef.name ?? manifest!.metadata.name,
      isThere: manifest !== undefined,
    },
  };
}

function readTrainJob(manifest: Manifest) {
  return read(trainJobSchema, manifest, 'spec.runtimeRef.name').spec;
}

/** The Jobs of an object by name. */
function jobsIn(manifest: Manifest): [string, JobSpec][] {
  const { kind, metadata } = manifest;
  if (kind === 'Job')
    return [[metadata.name, read(jobSchema, manifest, 'spec.template with containers').spec]];
  if (kind !== 'JobSet') return [];
  const { replicatedJobs } = read(jobSetSchema, manifest, 'spec.replicatedJobs with pod templates').spec;
  return replicatedJobs.map(({ name, template: { spec } }) => [name, spec]);
}

/** The data of the ConfigMap of that name; undefined when there is none. */
export function configMapOf(
  manifests: readonly Manifest[],
  name: string,
): Readonly<Record<string, string>> | undefined {
  const found = manifests.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === name);
  return found && read(configMapSchema, found, 'data of text').data;
}

/**
 * A container's command line, with variables replaced as Kubernetes does. Variables that are only known in a pod stay.
 */
export function commandLineOf(container: Container, manifests: readonly Manifest[]): string[] {
  const values = new Map(
    container.env.map(({ name, value, valueFrom }) => {
      const reference = valueFrom?.configMapKeyRef;
      return [name, reference ? configMapOf(manifests, reference.name)?.[reference.key] : value];
    }),
  );
  return [...container.command, ...container.args].map((word) =>
    word.replace(/\$\(([A-Za-z_]\w*)\)/g, (whole, name: string) => values.get(name) ?? whole),
  );
}

interface Reader<Value> {
  safeParse(value: unknown): { readonly data?: Value; readonly error?: unknown };
}

function read<Value>(schema: Reader<Value>, manifest: Manifest, expected: string): Value {
  const { data, error } = schema.safeParse(manifest);
  if (data !== undefined) return data;
  throw new KubeError(
    'KUBE_MANIFESTS_INVALID',
    `${manifest.kind} ${manifest.metadata.name} must have ${expected}`,
    { cause: error },
  );
}
