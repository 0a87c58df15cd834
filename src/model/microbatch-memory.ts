import { imagesPerAnchor } from '../methods/methods.js';
import type { TrainingRunSpec } from '../run/training-run.js';
import type { Layer, Padding, Trunk } from './architecture.js';
import { partLayers } from './exchnet/parts.js';
import { describeRunModel, type NetworkLayout } from './layout.js';

/** Elements of one image's tensors in a forward pass. */
export interface ActivationCount {
  /** Outputs of the convolutions. */
  readonly convolutions: number;
  /** Everything that the backward pass reads again; see `countActivations`. */
  readonly kept: number;
}

interface Extent {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/**
 * Counts the elements that a forward pass of one image leaves for the backward pass. By the derivatives: BatchNorm reads
 * its input again, which is the convolution's output; the filter's gradient reads the convolution's input, and that of
 * the activation its output, which is the next layer's input. So of each convolution with an activation two tensors are
 * kept, without one (before the sum of a residual block) one, and of a sum and a pool their outputs. The image is the
 * first convolution's input.
 */
export function countActivations({ trunk, height, width, own }: NetworkLayout): ActivationCount {
  const image = { height, width, channels: 3 };
  const { convolutions, kept } = countLayers(trunk.layers, image);
  const branch = own ? countParts(trunk, own.parts, image) : { convolutions: 0, kept: 0 };
  return { convolutions: convolutions + branch.convolutions, kept: kept + branch.kept + elements(image) };
}

/** ExchNet's local branch: attention, the maps that it selects for every part, and the stage on all of them. */
function countParts(trunk: Trunk, parts: number, image: Extent): ActivationCount {
  const { shared, attention, local } = partLayers(trunk, parts);
  const { output } = countLayers(trunk.layers.slice(0, shared), image);
  const maps = countLayers(attention, output);
  const stage = countLayers(local, output);
  return {
    convolutions: maps.convolutions + parts * stage.convolutions,
    // The product of both factors, and each of them as large.
    kept: maps.kept + parts * (stage.kept + 3 * elements(output)),
  };
}

/**
 * Bytes that a worker's device holds at least while it computes a microbatch of a run: float32 weights and gradient,
 * and the activations of every image of the largest microbatch, since the loss connects all passes. The kernels'
 * workspace, fragmentation and CUDA's own context (some hundred MB) come on top, so less memory cannot suffice and this
 * much may not.
 */
export function leastMicrobatchBytes(spec: TrainingRunSpec): number {
  const layout = describeRunModel(spec);
  const images = microbatchRows(spec) * imagesPerAnchor(spec.method);
  return 4 * (2 * layout.parameterCount + images * countActivations(layout).kept);
}

/** Rows of the largest microbatch. */
export function microbatchRows({ schedule }: TrainingRunSpec): number {
  return Math.ceil(schedule.batchSize / schedule.microbatches);
}

function countLayers(layers: readonly Layer[], input: Extent): ActivationCount & { readonly output: Extent } {
  let [convolutions, kept, output] = [0, 0, input];
  for (const layer of layers) {
    if (layer.kind === 'residual') {
      const main = countLayers(layer.main, output);
      const shortcut = countLayers(layer.shortcut, output);
      convolutions += main.convolutions + shortcut.convolutions;
      kept += main.kept + shortcut.kept + elements(main.output);
      output = main.output;
    } else if (layer.kind === 'maxPool') {
      output = reduced(output, layer.size, layer.stride, layer.padding);
      kept += elements(output);
    } else {
      const channels = layer.kind === 'convolution' ? layer.filters : output.channels;
      output = { ...reduced(output, layer.kernel, layer.stride, layer.padding), channels };
      convolutions += elements(output);
      kept += (layer.activation === 'none' ? 1 : 2) * elements(output);
    }
  }
  return { convolutions, kept, output };
}

function reduced(
  { height, width, channels }: Extent,
  kernel: number,
  stride: number,
  padding: Padding,
): Extent {
  const side = (size: number) =>
    padding === 'same' ? Math.ceil(size / stride) : Math.floor((size + 2 * padding - kernel) / stride) + 1;
  return { height: side(height), width: side(width), channels };
}

function elements({ height, width, channels }: Extent): number {
  return height * width * channels;
}
