import { posix } from 'node:path';
import { firstFew } from '../console/first-few.js';
import type { TrainingRun } from '../run/training-run.js';
import type { PodTemplate } from './manifest.js';

/** A sentence on the first path of dataset or weights that is on no volume of the pod; null where all are. */
export function unmountedPath({ spec }: TrainingRun, template: PodTemplate): string | null {
  const mounts = template.spec.containers[0]!.volumeMounts.map(({ mountPath }) => mountPath);
  const paths = { 'spec.dataset.path': spec.dataset.path, 'spec.model.weights': spec.model.weights };
  for (const [field, path] of Object.entries(paths)) {
    if (path === null || mounts.some((mount) => isWithin(posix.normalize(path), mount))) continue;
    return `${field} is ${path}, expected a path on a volume of the pod, which are at ${firstFew(mounts)}`;
  }
  return null;
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
}
