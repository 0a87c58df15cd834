import type { NetworkWeights } from '../initial.js';
import type { NetworkLayout } from '../layout.js';
import { checkFit, expectedTensors } from './expected.js';
import { readWeightsOfAnyKind } from './read.js';

export interface BackboneWeights extends NetworkWeights {
  /** SHA-256 of the file's bytes, in hexadecimal. */
  readonly sha256: string;
  /** How the file's tensors were changed, one sentence each; usually empty. */
  readonly changes: readonly string[];
}

/**
 * Reads pretrained weights of the backbone from a file of any kind that `readWeightsOfAnyKind` supports: in Keras's
 * or PyTorch's names and order for MobileNet, in torchvision's for ResNets.
 * @param initial weights before training; the hash layer's are kept
 * @throws ModelError the errors of `readWeightsOfAnyKind` and `checkFit`
 */
export async function loadBackboneWeights(
  layout: NetworkLayout,
  path: string,
  initial: NetworkWeights,
): Promise<BackboneWeights> {
  const { tensors, sha256, changes } = await readWeightsOfAnyKind(path);
  checkFit(layout, path, tensors);
  const weights = {
    parameters: initial.parameters.slice(),
    mean: initial.mean.slice(),
    variance: initial.variance.slice(),
  };
  for (const { name, place } of expectedTensors(layout, tensors)) place(weights, tensors.get(name)!.data);
  return { ...weights, sha256, changes };
}
