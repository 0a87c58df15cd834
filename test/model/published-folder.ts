import { createHash } from 'node:crypto';

/** Bytes of published weights, which nobody reads as weights. */
export const content = Buffer.alloc(5000, 'weights');

/** The manifest of a folder that has them. */
export const manifest = {
  format: 'fcaenet-weights',
  formatVersion: 1,
  name: 'cub',
  backbone: 'resnet18',
  width: 1,
  bits: 48,
  imageSize: 224,
  preprocessing: 'RGB',
  license: 'unknown',
  file: {
    name: 'model.safetensors',
    bytes: content.length,
    sha256: createHash('sha256').update(content).digest('hex'),
  },
};
