import { createHash } from 'node:crypto';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { convertWeights, inspectWeights } from '../../src/model/weights/inspect.js';
import {
  bytesOf,
  folder,
  layoutOf,
  load,
  mobilenet,
  resnet,
  tensorsOf,
  weightsOf,
  writeManifest,
  writeSafetensors,
  writeTorch,
} from '../model/weight-files.js';

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

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
        `weights ${path} contain no tensor of a known backbone, but "encoder.weight" and 0 others, expected resnet18`,
      ),
    });
  });
});
