import { KubeError } from './error.js';
import {
  type Container,
  configMapSchema,
  type JobSpec,
  jobSchema,
  jobSetSchema,
  type Manifest,
} from './manifest.js';

/** A Job by its name, whether it stands by itself or in a JobSet. */
export interface NamedJob {
  readonly name: string;
  readonly spec: JobSpec;
}

/**
 * The Jobs among the manifests, those of JobSets too.
 * @throws KubeError KUBE_MANIFESTS_INVALID for one without a pod template
 */
export function jobsOf(manifests: readonly Manifest[]): NamedJob[] {
  return manifests.flatMap((manifest): NamedJob[] => {
    const { kind, metadata } = manifest;
    if (kind === 'Job') {
      return [{ name: metadata.name, spec: read(jobSchema, manifest, 'spec.template with containers').spec }];
    }
    if (kind !== 'JobSet') return [];
    const { replicatedJobs } = read(jobSetSchema, manifest, 'spec.replicatedJobs with pod templates').spec;
    return replicatedJobs.map(({ name, template: { spec } }) => ({ name, spec }));
  });
}

/** What the ConfigMap of that name holds; undefined where there is none. */
export function configMapOf(
  manifests: readonly Manifest[],
  name: string,
): Readonly<Record<string, string>> | undefined {
  const found = manifests.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === name);
  return found && read(configMapSchema, found, 'data of text').data;
}

/** The words that a container starts with, variables put in as Kubernetes does; those known only in a pod stay. */
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
