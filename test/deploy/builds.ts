import { kustomizations, kustomize, type Manifest } from '../kit/kubernetes/kustomize.js';
import { buildOverlay } from '../kit/kubernetes/overlay.js';

const overlay = (name: string) => `deploy/overlays/${name}`;
const combinations: readonly (readonly [base: string, components: readonly string[]])[] = [
  [overlay('cpu-synthetic'), ['nats']],
  [overlay('cpu-synthetic'), ['jobset']],
  [overlay('cpu-synthetic'), ['prometheus']],
  [overlay('vegfru-48bit'), ['cache-volume', 'nats']],
  [overlay('vegfru-48bit'), ['jobset', 'kueue']],
  [overlay('vegfru-48bit'), ['eight-gpus', 'gpu-nodes']],
  [overlay('vegfru-48bit'), ['eight-gpus', 'jobset']],
  [overlay('nabirds-48bit'), ['dataset-check']],
  [overlay('nabirds-48bit'), ['dataset-check', 'jobset']],
];

/** Everything that deploy/ offers to be applied: what stands there, and overlays with each optional component. */
export const builds: Record<string, () => Manifest[]> = {
  ...Object.fromEntries(
    kustomizations('deploy', 'Kustomization').map((path) => [path, once(() => kustomize(path))]),
  ),
  ...Object.fromEntries(
    combinations.map(([base, names]) => [
      [base, ...names].join(' + '),
      once(() =>
        buildOverlay({ resources: [base], components: names.map((name) => `deploy/components/${name}`) }),
      ),
    ]),
  ),
};

/** Those of `builds` that are a whole run: applied to an empty namespace, it starts. */
export const wholeRuns = Object.entries(builds).filter(([name]) => name.includes('overlays/'));

function once<Value extends object>(make: () => Value): () => Value {
  let made: Value | undefined;
  return () => {
    made ??= make();
    return structuredClone(made);
  };
}
