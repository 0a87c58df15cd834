import { describe, expect, it } from 'vitest';
import { trunkOf } from '../../src/model/layout.js';
import { normalizeImages } from '../../src/model/preprocess.js';

const pixels = Uint8Array.of(0, 127, 255, 255, 0, 51);

describe('normalising images', () => {
  it('scales to [-1, 1] for MobileNet', () => {
    const expected = [-1, 127 / 127.5 - 1, 1, 1, -1, 51 / 127.5 - 1];
    expect(normalizeImages(pixels, trunkOf('mobilenet_v1', 1).preprocessing)).toEqual(
      Float32Array.from(expected),
    );
  });

  it.each(['resnet18', 'resnet50'] as const)(
    "uses ImageNet's channel means and deviations for %s",
    (backbone) => {
      const expected = [
        -0.485 / 0.229,
        (127 / 255 - 0.456) / 0.224,
        (1 - 0.406) / 0.225,
        (1 - 0.485) / 0.229,
        -0.456 / 0.224,
        (0.2 - 0.406) / 0.225,
      ];
      expect(normalizeImages(pixels, trunkOf(backbone, 1).preprocessing)).toEqual(
        Float32Array.from(expected),
      );
    },
  );
});
