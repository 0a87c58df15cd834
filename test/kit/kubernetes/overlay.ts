import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { stringify } from 'yaml';
import { kustomize, type Manifest } from './kustomize.js';

export interface Overlay {
  /** Folders of the project that it builds on. */
  readonly resources: readonly string[];
  readonly components?: readonly string[];
  /** Files beside the kustomization, by name. */
  readonly files?: Record<string, string>;
  /** Whatever else is in the kustomization. */
  readonly rest?: object;
}

/** Builds a kustomization as a person would write it on top of those in deploy/. Throws what `kustomize` throws. */
export function buildOverlay({ resources, components = [], files = {}, rest = {} }: Overlay): Manifest[] {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'fcaenet-overlay-')));
  const fromHere = (path: string) => relative(folder, resolve(path));
  try {
    const kustomization = {
      apiVersion: 'kustomize.config.k8s.io/v1beta1',
      kind: 'Kustomization',
      resources: resources.map(fromHere),
      components: components.map(fromHere),
      ...rest,
    };
    writeFileSync(join(folder, 'kustomization.yaml'), stringify(kustomization));
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
    return kustomize(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
