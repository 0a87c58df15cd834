import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NetworkWeights } from '../../src/model/initial.js';
import { type Backbone, describeModel, type ModelLayout } from '../../src/model/layout.js';
import { torchShape } from '../../src/model/torch-order.js';
import { convertWeights, inspectWeights } from '../../src/model/weights/inspect.js';
import { loadBackboneWeights } from '../../src/model/weights/weights-file.js';
import { inTorchOrder } from '../golden/networks.js';
import { type TorchTensor, torchZip } from './torch-writer.js';

interface Tensor {
  shape: readonly number[];
  data: Float32Array;
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fcaenet-weights-'));
});
afterAll(() => rm(folder, { recursive: true }));

function layoutOf(backbone: Backbone, width = 0.25): ModelLayout {
  return describeModel({ backbone, width, bits: 8, imageSize: 64 });
}

/** Weights of which no two close to each other are equal. */
function weightsOf(layout: ModelLayout): NetworkWeights {
  const ramp = (length: number, start: number) =>
    new Float32Array(length).map((_zero, i) => start + (i % 8191));
  return {
    parameters: ramp(layout.parameterCount, 1),
    mean: ramp(layout.statisticsCount, 10_000),
    variance: ramp(layout.statisticsCount, 20_000),
  };
}

/** All zeros. */
function initialOf(layout: ModelLayout): NetworkWeights {
  return {
    parameters: new Float32Array(layout.parameterCount),
    mean: new Float32Array(layout.statisticsCount),
    variance: new Float32Array(layout.statisticsCount),
  };
}

const stored = new Map<ModelLayout, Map<string, Tensor>>();

/** Every tensor of the backbone as its files store it, in a map to change at will. */
function tensorsOf(layout: ModelLayout): Map<string, Tensor> {
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
async function writeManifest(tensors: ReadonlyMap<string, Tensor>): Promise<string> {
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
async function writeSafetensors(
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
async function writeTorch(tensors: ReadonlyMap<string, Tensor>): Promise<string> {
  const path = join(await mkdtemp(join(folder, 'torch-')), 'weights.pth');
  const counters = [...tensors.keys()]
    .filter((name) => name.endsWith('.running_mean'))
    .map((name) => [name.replace('running_mean', 'num_batches_tracked'), counter] as const);
  await writeFile(path, torchZip(new Map<string, TorchTensor>([...tensors, ...counters])));
  return path;
}
const counter = { shape: [], data: BigInt64Array.of(1n) };

function bytesOf(data: Float32Array | Uint16Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

function load(layout: ModelLayout, path: string) {
  return loadBackboneWeights(layout, path, initialOf(layout));
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

const mobilenet = layoutOf('mobilenet_v1');
const resnet = layoutOf('resnet18');

describe('weight files', () => {
  it.each([
    ['a TF.js manifest', mobilenet, writeManifest, 'conv_preds/kernel'],
    ['safetensors in torchvision names', resnet, writeSafetensors, 'fc.weight'],
    ['PyTorch', resnet, writeTorch, 'fc.weight'],
    ['PyTorch, of ResNet-50', layoutOf('resnet50'), writeTorch, 'fc.weight'],
  ] as const)(
    'of %s give every tensor its place and leave the hash layer',
    async (_kind, layout, write, classifier) => {
      const tensors = tensorsOf(layout);
      tensors.set(classifier, { shape: [2, 2], data: new Float32Array(4) });
      const loaded = await load(layout, await write(tensors));
      const expected = weightsOf(layout);
      expected.parameters.fill(0, layout.parameters.at(-2)!.offset);
      expect(Buffer.compare(bytesOf(loaded.parameters), bytesOf(expected.parameters))).toBe(0);
      expect(loaded.mean).toEqual(expected.mean);
      expect(loaded.variance).toEqual(expected.variance);
    },
  );

  it('are identified by the SHA-256 of their bytes', async () => {
    const safetensors = await writeSafetensors(tensorsOf(resnet));
    expect((await load(resnet, safetensors)).sha256).toBe(sha256(await readFile(safetensors)));
    const manifest = await writeManifest(tensorsOf(mobilenet));
    const model = await readFile(join(manifest, 'model.json'));
    const shards = (JSON.parse(model.toString()) as { weightsManifest: { paths: [string] }[] })
      .weightsManifest;
    const bytes = await Promise.all(shards.map(({ paths }) => readFile(join(manifest, paths[0]))));
    const loaded = await load(mobilenet, join(manifest, 'model.json'));
    expect(loaded.sha256).toBe(sha256(Buffer.concat([model, ...bytes])));
  });

  it("may carry PyTorch's batch counters", async () => {
    const tensors = tensorsOf(resnet);
    tensors.set('bn1.num_batches_tracked', { shape: [1], data: new Float32Array(1) });
    await expect(load(resnet, await writeSafetensors(tensors))).resolves.toBeDefined();
  });
});

describe('a weight file', () => {
  it.each([
    ['TF.js manifest', 'mobilenet_v1', 0.25, mobilenet, writeManifest],
    ['safetensors', 'resnet18', 1, resnet, writeSafetensors],
    ['PyTorch', 'resnet18', 1, resnet, writeTorch],
  ] as const)(
    'of the format %s tells its backbone, and converts to the same weights',
    async (format, backbone, width, layout, write) => {
      const path = await write(tensorsOf(layout));
      const { report, pieces } = await convertWeights(path);
      expect(report).toMatchObject({ format, backbone, width, epsilon: layout.epsilon });
      expect(await inspectWeights(path)).toEqual(report);
      const converted = join(await mkdtemp(join(folder, 'converted-')), 'weights.safetensors');
      await writeFile(converted, Buffer.concat(pieces));
      const [before, after] = [await load(layout, path), await load(layout, converted)];
      for (const part of ['parameters', 'mean', 'variance'] as const) {
        expect(Buffer.compare(bytesOf(after[part]), bytesOf(before[part])), part).toBe(0);
      }
    },
  );

  it.each([
    ['module.', writeTorch],
    ['_orig_mod.', writeSafetensors],
    ['module.backbone.', writeSafetensors],
  ] as const)('with %s before every name is read as it is without, and says so', async (prefix, write) => {
    const wrapped = new Map([...tensorsOf(resnet)].map(([name, tensor]) => [prefix + name, tensor]));
    wrapped.set(`${prefix}fc.weight`, { shape: [2, 2], data: new Float32Array(4) });
    const plain = await load(resnet, await writeSafetensors(tensorsOf(resnet)));
    const path = await write(wrapped);
    const loaded = await load(resnet, path);
    expect(Buffer.compare(bytesOf(loaded.parameters), bytesOf(plain.parameters))).toBe(0);
    expect(loaded.mean).toEqual(plain.mean);
    expect(plain.changes).toEqual([]);
    expect(loaded.changes).toEqual([`the prefix "${prefix}" of all tensor names is removed`]);
    expect((await inspectWeights(path)).changes).toEqual(loaded.changes);
  });

  it('with a prefix before some names is refused with one of them', async () => {
    const wrapped = new Map([...tensorsOf(resnet)].map(([name, tensor]) => [`backbone.${name}`, tensor]));
    wrapped.set('head.weight', { shape: [2], data: new Float32Array(2) });
    await expect(load(resnet, await writeSafetensors(wrapped))).rejects.toMatchObject({
      code: 'MODEL_WEIGHTS_BACKBONE',
      message: expect.stringContaining(`but "backbone.conv1.weight" and ${wrapped.size - 1} others`),
    });
  });

  it.each([
    // 1, -2, the least subnormal, the largest, 1/3 rounded
    ['F16', [0x3c00, 0xc000, 0x0001, 0x7bff, 0x3555], [1, -2, 2 ** -24, 65_504, 0.333251953125]],
    // 1, -2, the least subnormal, 3.25, 1/3 rounded
    ['BF16', [0x3f80, 0xc000, 0x0001, 0x4050, 0x3eab], [1, -2, 2 ** -133, 3.25, 0.333984375]],
  ] as const)('of %s becomes float32, and says so', async (type, bits, values) => {
    const narrow = new Map(
      [...tensorsOf(resnet)].map(([name, { shape, data }]) => [
        name,
        { shape, data: Uint16Array.from(data, (_, index) => bits[index % 5]!) },
      ]),
    );
    const path = await writeSafetensors(narrow, type);
    const { mean, changes } = await load(resnet, path);
    expect([...mean.subarray(0, 10)]).toEqual([...values, ...values]);
    expect(changes).toEqual([`tensors of type ${type} are converted to float32`]);
    const { report, pieces } = await convertWeights(path);
    expect(report.changes).toEqual(changes);
    const converted = join(await mkdtemp(join(folder, 'converted-')), 'weights.safetensors');
    await writeFile(converted, Buffer.concat(pieces));
    expect(await load(resnet, converted)).toMatchObject({ mean, changes: [] });
  });

  it.each(['weights.PTH', 'pytorch_model.bin', 'model_best.pth.tar', 'weights.Pt'])(
    "named %s is one of PyTorch's",
    async (name) => {
      const path = join(await mkdtemp(join(folder, 'endings-')), name);
      await writeFile(path, await readFile(await writeTorch(tensorsOf(resnet))));
      expect(await inspectWeights(path)).toMatchObject({ format: 'PyTorch', backbone: 'resnet18' });
    },
  );

  it('may be a manifest that begins with a byte order mark', async () => {
    const manifest = await writeManifest(tensorsOf(mobilenet));
    const file = join(manifest, 'model.json');
    const plain = await load(mobilenet, manifest);
    await writeFile(file, Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), await readFile(file)]));
    const marked = await load(mobilenet, manifest);
    expect(Buffer.compare(bytesOf(marked.parameters), bytesOf(plain.parameters))).toBe(0);
  });

  it('of no known backbone is refused', async () => {
    const path = await writeTorch(new Map([['encoder.weight', { shape: [1], data: new Float32Array(1) }]]));
    await expect(inspectWeights(path)).rejects.toMatchObject({
      code: 'MODEL_WEIGHTS_BACKBONE',
      message: expect.stringContaining(
        `Weights ${path} contain no tensor of a known backbone, but "encoder.weight" and 0 others, expected resnet18`,
      ),
    });
  });
});

describe('weight files that do not fit', () => {
  it('name a missing tensor', async () => {
    const tensors = tensorsOf(mobilenet);
    tensors.delete('conv_pw_3_bn/moving_mean');
    const path = await writeManifest(tensors);
    await expect(load(mobilenet, path)).rejects.toMatchObject({
      code: 'MODEL_WEIGHTS_MISSING',
      message: `Weights ${path} do not contain the tensor conv_pw_3_bn/moving_mean of mobilenet_v1 of width 0.25.`,
    });
  });

  it('name an extra tensor', async () => {
    const tensors = tensorsOf(resnet);
    tensors.set('layer4.2.conv1.weight', { shape: [1], data: new Float32Array(1) });
    const path = await writeSafetensors(tensors);
    await expect(load(resnet, path)).rejects.toMatchObject({
      code: 'MODEL_WEIGHTS_EXTRA',
      message: `Weights ${path} contain the tensor layer4.2.conv1.weight, which resnet18 does not have.`,
    });
  });

  it('name a misshapen tensor and both shapes', async () => {
    const tensors = tensorsOf(resnet);
    tensors.set('layer2.0.downsample.0.weight', { shape: [1, 1, 64, 128], data: new Float32Array(8192) });
    const path = await writeSafetensors(tensors);
    await expect(load(resnet, path)).rejects.toMatchObject({
      code: 'MODEL_WEIGHTS_SHAPE',
      message: `Tensor layer2.0.downsample.0.weight in ${path} has shape [1,1,64,128], expected [128,64,1,1] for resnet18.`,
    });
  });

  it.each([
    ['resnet50', layoutOf('resnet50'), 'resnet18', resnet, writeSafetensors],
    [
      'mobilenet_v1 of width 0.5',
      layoutOf('mobilenet_v1', 0.5),
      'mobilenet_v1 of width 0.25',
      mobilenet,
      writeManifest,
    ],
    ['mobilenet_v1 of width 0.25', mobilenet, 'resnet18', resnet, writeManifest],
  ] as const)('tell that they are of %s', async (actual, other, expected, layout, write) => {
    const path = await write(tensorsOf(other));
    await expect(load(layout, path)).rejects.toMatchObject({
      code: 'MODEL_WEIGHTS_BACKBONE',
      message: `Weights ${path} belong to the backbone ${actual}, expected ${expected}.`,
    });
  });

  it('name a value that is no number', async () => {
    const tensors = tensorsOf(resnet);
    tensors.set('bn1.running_var', { shape: [64], data: new Float32Array(64).fill(Number.NaN, 3) });
    const path = await writeTorch(tensors);
    await expect(load(resnet, path)).rejects.toMatchObject({
      code: 'MODEL_WEIGHTS_VALUE',
      message: `Tensor bn1.running_var in ${path} has the value NaN at element 3, expected a finite number.`,
    });
  });

  it('tell that they are of no known backbone', async () => {
    const path = await writeSafetensors(
      new Map([['encoder.weight', { shape: [1], data: new Float32Array(1) }]]),
    );
    await expect(load(resnet, path)).rejects.toMatchObject({
      code: 'MODEL_WEIGHTS_BACKBONE',
      message: `Weights ${path} contain no tensor of the backbone resnet18, but "encoder.weight" and 0 others.`,
    });
  });

  it('tell that a tensor is not of float32', async () => {
    const tensors = tensorsOf(resnet);
    const path = await writeSafetensors(tensors, 'I32');
    await expect(load(resnet, path)).rejects.toMatchObject({
      code: 'MODEL_WEIGHTS_DTYPE',
      message: `Tensor conv1.weight in ${path} is of type I32, expected F32, F16 or BF16.`,
    });
  });

  it('tell that a file is missing', async () => {
    const path = join(folder, 'nowhere');
    await expect(load(resnet, path)).rejects.toMatchObject({
      code: 'MODEL_WEIGHTS_UNREADABLE',
      message: `Weights ${path} do not exist: create them with \`fcaenet weights fetch\` or \`weights convert\` (docs/weights.md).`,
    });
    const belowFile = join(await writeSafetensors(tensorsOf(resnet)), 'weights.pth');
    await expect(load(resnet, belowFile)).rejects.toMatchObject({
      code: 'MODEL_WEIGHTS_UNREADABLE',
      message: `Weights ${belowFile} cannot be read (ENOTDIR).`,
    });
    const manifest = await writeManifest(tensorsOf(mobilenet));
    await rm(join(manifest, 'shard3'));
    await expect(load(mobilenet, manifest)).rejects.toMatchObject({
      code: 'MODEL_WEIGHTS_UNREADABLE',
      message: `Weights ${join(manifest, 'shard3')} cannot be read (ENOENT).`,
    });
  });

  it('tell that a file is of an unknown kind', async () => {
    const path = join(folder, 'weights.h5');
    await writeFile(path, '');
    await expect(load(resnet, path)).rejects.toMatchObject({ code: 'MODEL_WEIGHTS_FORMAT' });
  });

  it('tell that a shard is cut short', async () => {
    const manifest = await writeManifest(tensorsOf(mobilenet));
    const shard = await readFile(join(manifest, 'shard0'));
    await writeFile(join(manifest, 'shard0'), shard.subarray(0, shard.length - 4));
    await expect(load(mobilenet, manifest)).rejects.toMatchObject({
      code: 'MODEL_WEIGHTS_MANIFEST',
      message: `Shards shard0 of ${join(manifest, 'model.json')} hold ${shard.length - 4} bytes, expected ${shard.length}.`,
    });
  });

  it.each([
    ['no JSON', '{'],
    ['another schema', '{}'],
    [
      'quantised',
      JSON.stringify({
        weightsManifest: [
          {
            paths: [],
            weights: [{ name: 'a', shape: [0], dtype: 'float32', quantization: { dtype: 'uint8' } }],
          },
        ],
      }),
    ],
  ])('tell that a manifest is %s', async (_what, text) => {
    const path = join(await mkdtemp(join(folder, 'broken-')), 'model.json');
    await writeFile(path, text);
    await expect(load(mobilenet, path)).rejects.toMatchObject({ code: 'MODEL_WEIGHTS_MANIFEST' });
  });
});
