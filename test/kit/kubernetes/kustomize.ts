import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments, stringify } from 'yaml';

/** One Kubernetes object, as far as tests look into it by themselves; its form is for the published schemas to check. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Record<string, string>;
  };
  // biome-ignore lint/suspicious/noExplicitAny: a manifest is looked into at dozens of places.
  readonly [field: string]: any;
}

/** Objects as one text, for `kubectl apply`. */
export const yamlOf = (objects: readonly object[]) => objects.map((each) => stringify(each)).join('---\n');

/** Kinds in deploy/ that are of the whole cluster, and so in no namespace. */
export const clusterKinds: ReadonlySet<string> = new Set([
  'ClusterQueue',
  'ClusterTrainingRuntime',
  'ResourceFlavor',
]);

/** Empty where kubectl can build what is in deploy/; else why tests that need it are skipped, for their title. */
export const kubectlMissing = whyNoKubectl();

function whyNoKubectl(): string {
  const { status, stdout } = spawnSync('kubectl', ['version', '--client', '--output=json'], {
    encoding: 'utf8',
  });
  if (status !== 0) return ' (skipped: kubectl is not installed)';
  const { kustomizeVersion } = JSON.parse(stdout) as { kustomizeVersion?: string };
  // Before version 5 a component cannot copy one object into another and delete the first.
  const major = Number(/^v(\d+)\./.exec(kustomizeVersion ?? '')?.[1] ?? 0);
  return major >= 5 ? '' : ` (skipped: kubectl has kustomize ${kustomizeVersion ?? 'of old'}, not 5)`;
}

/**
 * What `kubectl kustomize FOLDER` prints, document by document.
 * @throws Error with kubectl's complaint
 */
export function kustomize(folder: string): Manifest[] {
  const { status, stdout, stderr } = spawnSync('kubectl', ['kustomize', folder], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  if (status !== 0) throw new Error(`kubectl kustomize ${folder}: ${stderr}`);
  return parseAllDocuments(stdout).map((document) => document.toJS() as Manifest);
}

/** Folders below `folder` with a kustomization of a kind: those that stand by themselves, or components for others. */
export function kustomizations(folder: string, kind: 'Kustomization' | 'Component'): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.name === 'kustomization.yaml')
    .map((entry) => entry.parentPath)
    .filter((path) => parse(readFileSync(join(path, 'kustomization.yaml'), 'utf8')).kind === kind)
    .sort();
}

/** The object of that kind and name. */
export function find(manifests: readonly Manifest[], kind: string, name: string): Manifest {
  const found = manifests.find((each) => each.kind === kind && each.metadata.name === name);
  if (!found) throw new Error(`there is no ${kind} ${name}`);
  return found;
}

/** Every pod template among the manifests, with the object that it belongs to. */
export function podTemplates(manifests: readonly Manifest[]): { owner: string; template: Manifest }[] {
  return manifests.flatMap((manifest) => {
    const owner = `${manifest.kind} ${manifest.metadata.name}`;
    const jobSet = manifest.kind === 'ClusterTrainingRuntime' ? manifest.spec.template : manifest;
    const jobs = jobSet.spec?.replicatedJobs as { name: string; template: Manifest }[] | undefined;
    if (jobs)
      return jobs.map(({ name, template }) => ({
        owner: `${owner}: ${name}`,
        template: template.spec.template,
      }));
    if (manifest.kind === 'Pod') return [{ owner, template: manifest }];
    return manifest.spec?.template?.spec?.containers ? [{ owner, template: manifest.spec.template }] : [];
  });
}
