import { appendFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { documentedOverlays } from '../kit/kubernetes/documented.js';
import {
  clusterKinds,
  kubectlMissing,
  kustomizations,
  kustomize,
  type Manifest,
} from '../kit/kubernetes/kustomize.js';
import { buildOverlay } from '../kit/kubernetes/overlay.js';
import { wholeRuns } from './builds.js';

/** Objects that would be created somewhere else than in `namespace`. */
const elsewhere = (manifests: readonly Manifest[], namespace: string | undefined) =>
  manifests
    .filter(({ kind, metadata }) => !clusterKinds.has(kind) && metadata.namespace !== namespace)
    .map(({ kind, metadata }) => `${kind} ${metadata.name} in ${metadata.namespace ?? 'no namespace'}`);

const namespaceOf = (overlay: string): string =>
  parse(readFileSync(join(overlay, 'kustomization.yaml'), 'utf8')).namespace;

/** An overlay as a person has changed it: the same folder with one more line. */
function buildWithin(overlay: string, components: readonly string[]): Manifest[] {
  const folder = mkdtempSync(join(tmpdir(), 'fcaenet-deploy-'));
  try {
    cpSync('deploy', join(folder, 'deploy'), { recursive: true });
    const file = join(folder, overlay, 'kustomization.yaml');
    const paths = components.map((path) => `../../components/${basename(path)}`);
    const before = (parse(readFileSync(file, 'utf8')).components ?? []) as string[];
    const text = readFileSync(file, 'utf8').replace(/^components:\n( +- .*\n)+/m, '');
    rmSync(file);
    appendFileSync(file, `${text}\ncomponents: [${[...before, ...paths].join(', ')}]\n`);
    return kustomize(join(folder, overlay));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe.skipIf(kubectlMissing !== '')(`everything is in the namespace of its run${kubectlMissing}`, () => {
  test.each(wholeRuns)('%s', (name, build) => {
    expect(elsewhere(build(), namespaceOf(name.split(' ')[0]!))).toEqual([]);
  });

  const overlay = 'deploy/overlays/vegfru-48bit';
  // `values` is in the overlay already; `kueue` is of a JobSet.
  const components = kustomizations('deploy/components', 'Component')
    .filter((path) => path.split('/').length === 3 && !['values', 'kueue'].includes(basename(path)))
    .map((path) => (path.endsWith('jobset') ? [path, 'deploy/components/kueue'] : [path]));

  test.each(components)('%s in an overlay, and on top of one', (...paths) => {
    const within = buildWithin(overlay, paths);
    expect(elsewhere(within, 'vegfru-48bit')).toEqual([]);
    const onTop = buildOverlay({ resources: [overlay], components: paths });
    expect(onTop).toEqual(within);
  });

  test('all components at once, on top of an overlay, in a namespace of another name', () => {
    const manifests = buildOverlay({
      resources: [overlay],
      components: [...components]
        .sort(([a], [b]) => Number(/jobset/.test(a!)) - Number(/jobset/.test(b!)))
        .flat(),
      rest: { namespace: 'other' },
    });
    expect(elsewhere(manifests, 'other')).toEqual([]);
    expect(new Set(manifests.map(({ kind }) => kind))).toEqual(
      new Set([
        ...['ServiceAccount', 'ConfigMap', 'Service', 'PersistentVolumeClaim', 'NetworkPolicy'],
        ...['StatefulSet', 'JobSet', 'PodMonitor', 'PrometheusRule'],
      ]),
    );
  });
});

describe.skipIf(kubectlMissing !== '')(`what the pages show${kubectlMissing}`, () => {
  const shown = ['docs/kubernetes.md', ...textFiles('deploy')].flatMap(documentedOverlays);
  test.each(shown)('is in the namespace of the overlay below: $text', ({ overlay }) => {
    expect(elsewhere(buildOverlay(overlay), namespaceOf(overlay.resources[0]!))).toEqual([]);
  });

  const files = ['README.md', ...['docs', 'deploy'].flatMap(textFiles)];
  const applied = files.flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(/kubectl .*\bapply\b.*--kustomize (\S+)/g)].map(
      ([command, folder]) => ({ file, command, folder: folder! }),
    ),
  );

  test.each(applied)('$file: `$command` names the namespace, or its objects do', ({ command, folder }) => {
    const named = /--namespace (\S+)/.exec(command)?.[1];
    const namespaces = new Set(
      kustomize(folder)
        .filter(({ kind }) => !clusterKinds.has(kind))
        .map(({ metadata }) => metadata.namespace ?? named),
    );
    // kubectl refuses a command that names one namespace for objects of another.
    expect(namespaces.size).toBeLessThanOrEqual(1);
    expect([...namespaces]).not.toContain(undefined);
    if (named !== undefined && namespaces.size > 0) expect([...namespaces]).toEqual([named]);
  });

  test('every folder that stands by itself is applied by a command of some page', () => {
    const standing = kustomizations('deploy', 'Kustomization')
      .filter((path) => !path.startsWith('deploy/base'))
      // What `fcaenet table --manifests` writes builds on it.
      .filter((path) => !path.startsWith('deploy/table'))
      // Copied by the folder above it.
      .filter((path) => path !== 'deploy/kubeflow/runtime/copy');
    expect([...new Set(applied.map(({ folder }) => folder))].sort()).toEqual(standing);
  });
});

function textFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(({ name }) => /\.(md|yaml)$/.test(name))
    .map(({ parentPath, name }) => join(parentPath, name));
}
