import { readFileSync, realpathSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import { isThere } from '../run/presence.js';
import type { Cell } from './cell.js';
import { writeInto } from './write-into.js';

/** The Job of a run, and what the Jobs share. */
const deployed = fileURLToPath(new URL('../../deploy/table', import.meta.url));
const apiVersion = 'kustomize.config.k8s.io/v1beta1';

/** Name of a cell as Kubernetes allows it: 1 to 50 lower-case letters, digits and dashes. */
export function kubernetesName({ name }: Cell): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 50)
    .replace(/^-|-$/g, '');
}

/** Where manifests have a folder for each run. */
export function cellsFolder(folder: string): string {
  return join(folder, 'cells');
}

/** Whether a folder has no kustomization, or one with cells of a table. */
export function isEmptyOrManifests(folder: string): boolean {
  const file = join(folder, 'kustomization.yaml');
  if (!isThere(file)) return true;
  try {
    const { resources } = (parse(readFileSync(file, 'utf8')) ?? {}) as { resources?: unknown };
    return Array.isArray(resources) && resources.includes('cells');
  } catch {
    return false;
  }
}

/**
 * Writes kustomizations that carry out cells as queued Jobs: `cells/`, which is replaced, and around it a
 * `kustomization.yaml` with the values to fill in, which is left as it is where it exists.
 * @param namespace of the Jobs, for a new kustomization
 */
export function writeManifests(folder: string, namespace: string, cells: readonly Cell[]): void {
  writeInto(folder, {});
  writeInto(cellsFolder(folder), {});
  const here = realpathSync(folder);
  for (const cell of cells) {
    const own = join(cellsFolder(here), kubernetesName(cell));
    writeInto(own, {
      'run.yaml': stringify(cell.run),
      'kustomization.yaml': stringify(cellKustomization(cell, relative(own, join(deployed, 'cell')))),
    });
  }
  const list = { apiVersion, kind: 'Kustomization', resources: cells.map(kubernetesName) };
  writeInto(cellsFolder(here), { 'kustomization.yaml': stringify(list) });
  if (isThere(join(here, 'kustomization.yaml'))) return;
  const surroundings = relative(here, join(deployed, 'surroundings'));
  writeInto(here, { 'kustomization.yaml': outerKustomization(namespace, surroundings) });
}

function cellKustomization(cell: Cell, base: string): object {
  const name = kubernetesName(cell);
  return {
    apiVersion,
    kind: 'Kustomization',
    resources: [base],
    nameSuffix: `-${name}`,
    labels: [{ pairs: { 'fcaenet.dev/run': name }, includeTemplates: true }],
    configMapGenerator: [{ name: 'run', files: ['run.yaml'] }],
    // A Job cannot be changed, so its ConfigMap must keep its name.
    generatorOptions: { disableNameSuffixHash: true },
  };
}

function outerKustomization(namespace: string, surroundings: string): string {
  return `# The runs of a table as Jobs that wait in the local queue fcaenet. Three values are to be filled in.
apiVersion: ${apiVersion}
kind: Kustomization
namespace: ${namespace}
resources:
  - ${surroundings}
  - cells
images:
  # The image of deploy/image/Dockerfile, target gpu, in a registry that the cluster can pull from.
  - name: fcaenet
    newName: FILL-IN-IMAGE
patches:
  # The claim of the volume with the dataset and the weights (docs/kubernetes.md).
  - target: { kind: Job }
    patch: |
      - op: replace
        path: /spec/template/spec/volumes/3/persistentVolumeClaim/claimName
        value: FILL-IN-DATASET-CLAIM
  # A storage class whose volumes many nodes can write to; \`kubectl get storageclass\` lists them.
  - target: { kind: PersistentVolumeClaim, name: runs }
    patch: |
      - op: add
        path: /spec/storageClassName
        value: FILL-IN-STORAGE-CLASS
`;
}
