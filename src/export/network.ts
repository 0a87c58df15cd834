import type { Tensor, TensorMap } from '../checkpoint/safetensors.js';
import type { NetworkLayout, ParameterSpec } from '../model/layout.js';
import { statisticsOf } from '../model/placement.js';
import { torchName, torchShape, toTorchOrder } from '../model/torch-order.js';
import type { WireWeights } from '../model/wire-weights.js';

/** A trained network, apart from the run that made it. */
export interface ExportedNetwork {
  readonly layout: NetworkLayout;
  readonly weights: WireWeights<Float32Array>;
  /** What its files say about it: names of the run, the backbone and so on. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** The values of a parameter. */
export function valuesOf({ weights }: ExportedNetwork, { offset, size }: ParameterSpec): Float32Array {
  return weights.parameters.subarray(offset, offset + size);
}

/**
 * The network as a state dictionary of PyTorch: filters `[out, in, height, width]`, linear weights `[out, in]`. The names
 * are torchvision's for ResNets, with the hash layer as `fc`. For MobileNet they are Keras's names of the layers with
 * PyTorch's names of their tensors: `conv_dw_1.weight`, `conv_dw_1_bn.running_mean`.
 */
export function stateDictionary(network: ExportedNetwork): TensorMap {
  const { layout, weights } = network;
  const parameters: [string, Tensor][] = layout.parameters.map((spec) => [
    torchName(spec.name),
    { shape: torchShape(spec), data: toTorchOrder(valuesOf(network, spec), spec) },
  ]);
  const statistics = layout.batchNorms
    .flatMap((batchNorm) => statisticsOf(weights, batchNorm))
    .map(([name, data]): [string, Tensor] => [torchName(name), { shape: [data.length], data }]);
  return Object.fromEntries([...parameters, ...statistics]);
}
