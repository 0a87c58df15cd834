import type { Manifest } from './manifest.js';

/** What an overlay leaves to a person, by the mark that stands in its place. */
const fillIns = {
  'FILL-IN-IMAGE': ['image', 'an image of deploy/image/Dockerfile that the cluster can pull'],
  'FILL-IN-DATASET-CLAIM': ['dataset volume', 'the claim of the volume that holds the dataset'],
  'FILL-IN-WEIGHTS': ['weights', 'the path of pretrained weights on the dataset volume'],
  'FILL-IN-STORAGE-CLASS': ['storage class', 'a storage class for checkpoints, of kubectl get storageclass'],
} as const;
type Mark = keyof typeof fillIns;

/** A value that was not filled in. */
export interface FillIn {
  /** In the words of an overlay's README. */
  readonly value: string;
  readonly mark: string;
  readonly expected: string;
  /** Kind and name of the objects in which the mark stands. */
  readonly places: readonly string[];
}

/** The values that are missing, in the order of the overlays' values.yaml. */
export function missingValues(manifests: readonly Manifest[]): FillIn[] {
  return (Object.keys(fillIns) as Mark[]).flatMap((mark) => {
    const places = manifests
      .filter((manifest) => JSON.stringify(manifest).includes(mark))
      .map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    const [value, expected] = fillIns[mark];
    return places.length === 0 ? [] : [{ value, mark, expected, places }];
  });
}
