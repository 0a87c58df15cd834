import { quote } from '../../errors.js';
import type { Backbone } from '../../run/training-run.js';
import { ModelError } from '../error.js';

/** Pretrained weights that can be fetched by name. */
export interface PublishedWeights {
  readonly name: string;
  /** URL of the file, or of a TF.js manifest, whose backbone is written as one safetensors file. */
  readonly url: string;
  /** SHA-256 of the file that `weights fetch` writes, in hexadecimal. */
  readonly sha256: string;
  readonly backbone: Backbone;
  /** Factor of MobileNet's channel counts; 1 for ResNets. */
  readonly width: number;
  /** The default file name of `weights fetch`. */
  readonly file: string;
}

/**
 * torchvision's files, whose names contain the first eight digits of the SHA-256 (torchvision checks them too), and
 * TensorFlow.js's smallest MobileNet.
 */
export const publishedWeights: readonly PublishedWeights[] = [
  {
    name: 'mobilenet_v1-0.25-imagenet1k',
    url: 'https://storage.googleapis.com/tfjs-models/tfjs/mobilenet_v1_0.25_224/model.json',
    sha256: 'f76edadb477cc6d94e08fc4a24428494c9774c8a55c899ad8eedae6bc2e4a143',
    backbone: 'mobilenet_v1',
    width: 0.25,
    file: 'mobilenet_v1-0.25.safetensors',
  },
  {
    name: 'resnet50-imagenet1k-v1',
    url: 'https://download.pytorch.org/models/resnet50-0676ba61.pth',
    sha256: '0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a',
    backbone: 'resnet50',
    width: 1,
    file: 'resnet50-0676ba61.pth',
  },
  {
    name: 'resnet50-imagenet1k-v2',
    url: 'https://download.pytorch.org/models/resnet50-11ad3fa6.pth',
    sha256: '11ad3fa62ca79e40addfd354a8ec4b7c75143b3038b8d2a807fbc68deab379ca',
    backbone: 'resnet50',
    width: 1,
    file: 'resnet50-11ad3fa6.pth',
  },
  {
    name: 'resnet18-imagenet1k-v1',
    url: 'https://download.pytorch.org/models/resnet18-f37072fd.pth',
    sha256: 'f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec',
    backbone: 'resnet18',
    width: 1,
    file: 'resnet18-f37072fd.pth',
  },
];

/** @throws ModelError `MODEL_WEIGHTS_NAME` for a name that is not in the list */
export function findPublished(name: string): PublishedWeights {
  const found = publishedWeights.find((weights) => weights.name === name);
  if (!found) {
    const names = publishedWeights.map((weights) => weights.name).join(', ');
    throw new ModelError(
      'MODEL_WEIGHTS_NAME',
      `there are no published weights ${quote(name)}, expected one of ${names}`,
    );
  }
  return found;
}

/** Published weights of a backbone, the first in the list; undefined when there are none. */
export function publishedFor(model: { backbone: Backbone; width: number }): PublishedWeights | undefined {
  return publishedWeights.find(({ backbone, width }) => backbone === model.backbone && width === model.width);
}
