import { mkdtempSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { NetworkWeights } from '../../src/model/initial.js';
import { describeModel, type ModelLayout } from '../../src/model/layout.js';
import { torchShape } from '../../src/model/torch-order.js';
import { loadBackboneWeights } from '../../src/model/weights/weights-file.js';
import type { Backbone } from '../../src/run/training-run.js';
import { inTorchOrder } from '../golden/networks.js';
import { type TorchTensor, torchZip } from './torch-writer.js';

export interface Tensor {
  shape: readonly number[];
  data: Float32Array;
}

/** Removed after the tests of the file that imports it. */
export const folder = mkdtempSync(join(tmpdir(), 'fcaenet-weights-'));
afterAll(() => rm(folder, { recursive: true }));

export function layoutOf(backbone: Backbone, width = 0.25): ModelLayout {
  return describeModel({ backbone, width, bits: 8, imageSize: 64 });
}

/** Weights of which no two close to each other are equal. */
export function weightsOf(layout: ModelLayout): NetworkWeights {
  const ramp = (length: number, start: number) =>
    new Float32Array(length).map((_zero, i) => start + (i % 8191));
  return {
    parameters: ramp(layout.parameterCount, 1),
    mean: ramp(layout.statisticsCount, 10_000),
    variance: ramp(layout.statisticsCount, 20_000),
  };
}

/** All zeros. */
export function initialOf(layout: ModelLayout): NetworkWeights {
  return {
    parameters: new Float32Array(layout.parameterCount),
    mean: new Float32Array(layout.statisticsCount),
    variance: new Float32Array(layout.statisticsCount),
  };
}

const stored = new Map<ModelLayout, Map<string, Tensor>>();

/** Every tensor of the backbone as its files store it, in a map to change at will. */
export function tensorsOf(layout: ModelLayout): Map<string, Tensor> {
  const tensors = stored.get(layout) ?? storedTensors(layout);
  stored.set(layout, tensors);
  return new Map(tensors);
}

function storedTensors(layout: ModelLayout): Map<string, Tensor> {
  const weights = weightsOf(layout);
  const torch = layout.trunk.naming === 'torchvision';
  const tensors = new Map<string, Tensor>();
  for (const spec of layout.parameters.slice(0, -2)) {
    tensors.set(spec.name, {
      shape: torch ? torchShape(spec) : spec.shape,
      data: torch
        ? inTorchOrder(weights.parameters, spec)
        : weights.parameters.slice(spec.offset, spec.offset + spec.size),
    });
  }
  for (const { meanName, varianceName, offset, channels } of layout.batchNorms) {
    tensors.set(meanName, { shape: [channels], data: weights.mean.slice(offset, offset + channels) });
    tensors.set(varianceName, { shape: [channels], data: weights.variance.slice(offset, offset + channels) });
  }
  return tensors;
}

/** Writes a manifest with one shard per three tensors. */
export async function writeManifest(tensors: ReadonlyMap<string, Tensor>): Promise<string> {
  const directory = await mkdtemp(join(folder, 'manifest-'));
  const entries = [...tensors];
  const weightsManifest = [];
  for (let first = 0; first < entries.length; first += 3) {
    const group = entries.slice(first, first + 3);
    const path = `shard${first}`;
    await writeFile(join(directory, path), Buffer.concat(group.map(([, { data }]) => bytesOf(data))));
    weightsManifest.push({
      paths: [path],
      weights: group.map(([name, { shape }]) => ({ name, shape, dtype: 'float32' })),
    });
  }
  await writeFile(join(directory, 'model.json'), JSON.stringify({ modelTopology: null, weightsManifest }));
  return directory;
}

/** Writes a safetensors file: header length, JSON header, data. */
export async function writeSafetensors(
  tensors: ReadonlyMap<string, { shape: readonly number[]; data: Float32Array | Uint16Array }>,
  dtype = 'F32',
): Promise<string> {
  const header: Record<string, unknown> = {};
  let position = 0;
  for (const [name, { shape, data }] of tensors) {
    header[name] = { dtype, shape, data_offsets: [position, position + data.byteLength] };
    position += data.byteLength;
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const path = join(await mkdtemp(join(folder, 'safetensors-')), 'weights.safetensors');
  await writeFile(
    path,
    Buffer.concat([length, text, ...[...tensors.values()].map(({ data }) => bytesOf(data))]),
  );
  return path;
}

/** Writes a `.pth` file, with the batch counters that PyTorch keeps. */
export async function writeTorch(tensors: ReadonlyMap<string, Tensor>): Promise<string> {
  const path = join(await mkdtemp(join(folder, 'torch-')), 'weights.pth');
  const counters = [...tensors.keys()]
    .filter((name) => name.endsWith('.running_mean'))
    .map((name) => [name.replace('running_mean', 'num_batches_tracked'), counter] as const);
  await writeFile(path, torchZip(new Map<string, TorchTensor>([...tensors, ...counters])));
  return path;
}
const counter = { shape: [], data: BigInt64Array.of(1n) };

export function bytesOf(data: Float32Array | Uint16Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

export function load(layout: ModelLayout, path: string) {
  return loadBackboneWeights(layout, path, initialOf(layout));
}

export const mobilenet = layoutOf('mobilenet_v1');
export const resnet = layoutOf('resnet18');
