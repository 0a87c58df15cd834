import { quote } from '../../errors.js';
import { ModelError } from '../error.js';

/** Pretrained weights that can be fetched by name. */
export interface PublishedWeights {
  readonly name: string;
  readonly url: string;
  /** SHA-256 of the file, in hexadecimal. */
  readonly sha256: string;
}

/**
 * torchvision's files. Their names carry the first eight digits of the SHA-256, which is how torchvision itself checks
 * them; the digests here agree.
 */
export const publishedWeights: readonly PublishedWeights[] = [
  {
    name: 'resnet50-imagenet1k-v1',
    url: 'https://download.pytorch.org/models/resnet50-0676ba61.pth',
    sha256: '0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a',
  },
  {
    name: 'resnet50-imagenet1k-v2',
    url: 'https://download.pytorch.org/models/resnet50-11ad3fa6.pth',
    sha256: '11ad3fa62ca79e40addfd354a8ec4b7c75143b3038b8d2a807fbc68deab379ca',
  },
  {
    name: 'resnet18-imagenet1k-v1',
    url: 'https://download.pytorch.org/models/resnet18-f37072fd.pth',
    sha256: 'f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec',
  },
];

/** @throws ModelError `MODEL_WEIGHTS_NAME` for a name that is not in the list */
export function findPublished(name: string): PublishedWeights {
  const found = publishedWeights.find((weights) => weights.name === name);
  if (!found) {
    const names = publishedWeights.map((weights) => weights.name).join(', ');
    throw new ModelError(
      'MODEL_WEIGHTS_NAME',
      `There are no published weights ${quote(name)}, expected one of ${names}.`,
    );
  }
  return found;
}
