import type { Activation, Layer, Padding, Trunk } from '../../src/model/architecture.js';
import type { NetworkWeights } from '../../src/model/initial.js';
import type { NetworkLayout, ParameterSpec } from '../../src/model/layout.js';
import { fromTorchOrder, torchShape, toTorchOrder } from '../../src/model/torch-order.js';
import { values } from './support.js';

/** The golden weights of a network: every tensor from its name, in our layout (`README.md`, resnet18.json). */
export function goldenWeights(layout: NetworkLayout, prefix: string): NetworkWeights {
  const parameters = new Float32Array(layout.parameterCount);
  for (const spec of layout.parameters) {
    const shape = torchShape(spec);
    const tensor = values(`${prefix}/${spec.name}`, shape, goldenScale(spec, shape));
    if (spec.role === 'scale') {
      const base = spec.name.endsWith('bn3.weight') ? 0.25 : 1;
      tensor.forEach((value, i) => {
        tensor[i] = base + value;
      });
    }
    parameters.set(fromTorchOrder(tensor, spec), spec.offset);
  }
  const mean = new Float32Array(layout.statisticsCount);
  const variance = new Float32Array(layout.statisticsCount);
  for (const { meanName, varianceName, channels, offset } of layout.batchNorms) {
    mean.set(values(`${prefix}/${meanName}`, [channels], 0.125), offset);
    const spread = values(`${prefix}/${varianceName}`, [channels], 0.25);
    variance.set(
      spread.map((value) => 1 + value),
      offset,
    );
  }
  return { parameters, mean, variance };
}

function goldenScale(spec: ParameterSpec, shape: readonly number[]): number {
  if (spec.role === 'filter' || spec.role === 'depthwiseFilter') {
    return Math.sqrt(6 / (shape[1]! * shape[2]! * shape[3]!));
  }
  return spec.role === 'hashWeight' ? Math.sqrt(0.75 / shape[1]!) : 0.125;
}

/** One parameter's part of a flat vector, in PyTorch's order. */
export function inTorchOrder(flat: Float32Array, spec: ParameterSpec): Float32Array {
  return toTorchOrder(flat.subarray(spec.offset, spec.offset + spec.size), spec);
}

/** A picture `[B, C, H, W]` as `[B, H, W, C]`. */
export function toChannelsLast(image: Float32Array, shape: readonly number[]): Float32Array<ArrayBuffer> {
  const [B = 0, C = 0, H = 0, W = 0] = shape;
  const result = new Float32Array(image.length);
  for (let b = 0; b < B; b++) {
    for (let c = 0; c < C; c++) {
      for (let p = 0; p < H * W; p++) result[(b * H * W + p) * C + c] = image[(b * C + c) * H * W + p]!;
    }
  }
  return result;
}

/** The networks of sgd.json, by name. */
export const tinyTrunks: Readonly<Record<string, Trunk>> = {
  tiny_plain: {
    title: 'tiny_plain',
    naming: 'torchvision',
    preprocessing: 'imagenet',
    epsilon: 1e-5,
    layers: [convolution('conv', 'bn', 4, 3, 1, 1, 'relu')],
  },
  tiny_mobile: {
    title: 'tiny_mobile',
    naming: 'torchvision',
    preprocessing: 'imagenet',
    epsilon: 1e-3,
    layers: [
      convolution('conv1', 'bn1', 4, 3, 2, 'same', 'relu6'),
      {
        kind: 'depthwise',
        name: 'dw',
        batchNorm: 'bn2',
        kernel: 3,
        stride: 2,
        padding: 'same',
        activation: 'relu6',
      },
      convolution('pw', 'bn3', 6, 1, 1, 'same', 'relu6'),
    ],
  },
};

function convolution(
  name: string,
  batchNorm: string,
  filters: number,
  kernel: number,
  stride: number,
  padding: Padding,
  activation: Activation,
): Layer {
  return { kind: 'convolution', name, batchNorm, kernel, stride, padding, filters, activation };
}
