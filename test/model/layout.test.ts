import { describe, expect, it } from 'vitest';
import { ModelError } from '../../src/model/error.js';
import { describeModel } from '../../src/model/layout.js';
import type { Backbone } from '../../src/run/training-run.js';

const bits = 24;

function layoutOf(backbone: Backbone, width = 1) {
  return describeModel({ backbone, width, bits, imageSize: 128 });
}

describe('the layout of the model', () => {
  // Trainable parameters and statistics of Keras's and torchvision's models without their classifiers.
  it.each([
    ['mobilenet_v1', 1, 3_206_976, 2 * 10_944, 1024],
    ['mobilenet_v1', 0.25, 213_072, 2 * 2_736, 256],
    ['resnet18', 1, 11_176_512, 2 * 4_800, 512],
    ['resnet50', 1, 23_508_032, 2 * 26_560, 2048],
  ] as const)(
    'has the size of the published %s at width %s',
    (backbone, width, trunk, statistics, features) => {
      const layout = layoutOf(backbone, width);
      expect(layout.parameterCount - bits * (features + 1)).toBe(trunk);
      expect(2 * layout.statisticsCount).toBe(statistics);
      expect(layout.featureWidth).toBe(features);
    },
  );

  it.each(['mobilenet_v1', 'resnet18', 'resnet50'] as const)('places every tensor of %s once', (backbone) => {
    const { parameters, batchNorms, parameterCount, statisticsCount } = layoutOf(backbone);
    let next = 0;
    for (const { offset, size, shape } of parameters) {
      expect(offset).toBe(next);
      expect(size).toBe(shape.reduce((product, extent) => product * extent, 1));
      next += size;
    }
    expect(next).toBe(parameterCount);
    expect(new Set(parameters.map(({ name }) => name)).size).toBe(parameters.length);
    expect(batchNorms.reduce((sum, { channels }) => sum + channels, 0)).toBe(statisticsCount);
  });

  it('names tensors as the weight files do', () => {
    const mobilenet = layoutOf('mobilenet_v1').parameters.map(({ name }) => name);
    expect(mobilenet.slice(0, 4)).toEqual([
      'conv1/kernel',
      'conv1_bn/gamma',
      'conv1_bn/beta',
      'conv_dw_1/depthwise_kernel',
    ]);
    expect(mobilenet.slice(-2)).toEqual(['fc.weight', 'fc.bias']);
    const resnet = layoutOf('resnet50').parameters.map(({ name }) => name);
    expect(resnet).toContain('layer1.0.downsample.1.weight');
    expect(resnet).toContain('layer4.2.conv3.weight');
    expect(layoutOf('resnet50').batchNorms[0]).toMatchObject({
      meanName: 'bn1.running_mean',
      varianceName: 'bn1.running_var',
    });
  });

  it.each([
    [{ width: 0.2 }, 'model width is 0.2, expected a number from 0.25 to 1'],
    [{ bits: 65 }, 'model bits is 65, expected a number from 1 to 64'],
    [{ bits: 0 }, 'model bits is 0, expected a number from 1 to 64'],
    [{ imageSize: 31.5 }, 'model imageSize is 31.5, expected a number from 32 to 4096'],
  ])('refuses what is out of range: %j', (change, text) => {
    const settings = { backbone: 'mobilenet_v1', width: 1, bits, imageSize: 128, ...change } as const;
    expect(() => describeModel(settings)).toThrow(
      expect.objectContaining({
        code: 'MODEL_SETTINGS',
        message: expect.stringContaining(text),
      }),
    );
    expect(() => describeModel(settings)).toThrow(ModelError);
  });
});
