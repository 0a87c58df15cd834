import type { Layer, Trunk } from './architecture.js';

/** Filters at width 1 and stride of the 13 pairs of depthwise and pointwise convolutions. */
const blocks: readonly (readonly [filters: number, stride: number])[] = [
  [64, 1],
  [128, 2],
  [128, 1],
  [256, 2],
  [256, 1],
  [512, 2],
  [512, 1],
  [512, 1],
  [512, 1],
  [512, 1],
  [512, 1],
  [1024, 2],
  [1024, 1],
];

/**
 * MobileNetV1 (Howard et al. 2017, table 1) with Keras's names and conventions: ReLU6, epsilon 1e-3, "same" padding.
 *
 * @param width α, the factor of every channel count, 0.25 ≤ α ≤ 1
 */
export function mobilenetTrunk(width: number): Trunk {
  const layers: Layer[] = [
    {
      kind: 'convolution',
      name: 'conv1',
      batchNorm: 'conv1_bn',
      kernel: 3,
      stride: 2,
      padding: 'same',
      filters: Math.floor(32 * width),
      activation: 'relu6',
    },
  ];
  blocks.forEach(([filters, stride], index) => {
    const depthwise = `conv_dw_${index + 1}`;
    const pointwise = `conv_pw_${index + 1}`;
    layers.push(
      {
        kind: 'depthwise',
        name: depthwise,
        batchNorm: `${depthwise}_bn`,
        kernel: 3,
        stride,
        padding: 'same',
        activation: 'relu6',
      },
      {
        kind: 'convolution',
        name: pointwise,
        batchNorm: `${pointwise}_bn`,
        kernel: 1,
        stride: 1,
        padding: 'same',
        filters: Math.floor(filters * width),
        activation: 'relu6',
      },
    );
  });
  return {
    title: `mobilenet_v1 of width ${width}`,
    naming: 'keras',
    preprocessing: 'symmetric',
    epsilon: 1e-3,
    layers,
  };
}
