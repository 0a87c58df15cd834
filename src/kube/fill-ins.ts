import type { Manifest } from './manifest.js';

/** The values that a user must fill in, by their placeholder in an overlay. */
const fillIns = {
  'FILL-IN-IMAGE': ['image', 'an image of deploy/image/Dockerfile that the cluster can pull'],
  'FILL-IN-DATASET-CLAIM': ['dataset volume', 'the claim of the volume that holds the dataset'],
  'FILL-IN-RUN': ['run', 'the name of a run on the volume of runs'],
  'FILL-IN-WEIGHTS': ['weights', 'the path of pretrained weights on the dataset volume'],
  'FILL-IN-GPU-PRODUCT': [
    'GPU',
    'a model of GPU, of kubectl get nodes --label-columns nvidia.com/gpu.product',
  ],
  'FILL-IN-STORAGE-CLASS': ['storage class', 'a storage class for checkpoints, of kubectl get storageclass'],
} as const;
type Mark = keyof typeof fillIns;

/** A value that was not filled in. */
export interface FillIn {
  /** Name in an overlay's README. */
  readonly value: string;
  readonly mark: string;
  readonly expected: string;
  /** Kind and name of the objects that contain the placeholder. */
  readonly places: readonly string[];
}

/** The missing values, in the order of the overlays' values.yaml. */
export function missingValues(manifests: readonly Manifest[]): FillIn[] {
  return (Object.keys(fillIns) as Mark[]).flatMap((mark) => {
    const places = manifests
      .filter((manifest) => JSON.stringify(manifest).includes(mark))
      .map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    const [value, expected] = fillIns[mark];
    return places.length === 0 ? [] : [{ value, mark, expected, places }];
  });
}
