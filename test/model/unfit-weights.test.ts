import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  folder,
  layoutOf,
  load,
  mobilenet,
  resnet,
  tensorsOf,
  writeManifest,
  writeSafetensors,
  writeTorch,
} from './weight-files.js';

describe('weight files that do not fit', () => {
  it('name a missing tensor', async () => {
    const tensors = tensorsOf(mobilenet);
    tensors.delete('conv_pw_3_bn/moving_mean');
    const path = await writeManifest(tensors);
    await expect(load(mobilenet, path)).rejects.toMatchObject({
      code: 'MODEL_WEIGHTS_MISSING',
      message: `weights ${path} do not contain the tensor conv_pw_3_bn/moving_mean of mobilenet_v1 of width 0.25`,
    });
  });

  it('name an extra tensor', async () => {
    const tensors = tensorsOf(resnet);
    tensors.set('layer4.2.conv1.weight', { shape: [1], data: new Float32Array(1) });
    const path = await writeSafetensors(tensors);
    await expect(load(resnet, path)).rejects.toMatchObject({
      code: 'MODEL_WEIGHTS_EXTRA',
      message: `weights ${path} contain the tensor layer4.2.conv1.weight, which resnet18 does not have`,
    });
  });

  it('name a misshapen tensor and both shapes', async () => {
    const tensors = tensorsOf(resnet);
    tensors.set('layer2.0.downsample.0.weight', { shape: [1, 1, 64, 128], data: new Float32Array(8192) });
    const path = await writeSafetensors(tensors);
    await expect(load(resnet, path)).rejects.toMatchObject({
      code: 'MODEL_WEIGHTS_SHAPE',
      message: `tensor layer2.0.downsample.0.weight in ${path} has shape [1,1,64,128], expected [128,64,1,1] for resnet18`,
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
      message: `weights ${path} belong to the backbone ${actual}, expected ${expected}`,
    });
  });

  it('name a value that is no number', async () => {
    const tensors = tensorsOf(resnet);
    tensors.set('bn1.running_var', { shape: [64], data: new Float32Array(64).fill(Number.NaN, 3) });
    const path = await writeTorch(tensors);
    await expect(load(resnet, path)).rejects.toMatchObject({
      code: 'MODEL_WEIGHTS_VALUE',
      message: `tensor bn1.running_var in ${path} has the value NaN at element 3, expected a finite number`,
    });
  });

  it('tell that they are of no known backbone', async () => {
    const path = await writeSafetensors(
      new Map([['encoder.weight', { shape: [1], data: new Float32Array(1) }]]),
    );
    await expect(load(resnet, path)).rejects.toMatchObject({
      code: 'MODEL_WEIGHTS_BACKBONE',
      message: `weights ${path} contain no tensor of the backbone resnet18, but "encoder.weight" and 0 others`,
    });
  });

  it('tell that a tensor is not of float32', async () => {
    const tensors = tensorsOf(resnet);
    const path = await writeSafetensors(tensors, 'I32');
    await expect(load(resnet, path)).rejects.toMatchObject({
      code: 'MODEL_WEIGHTS_DTYPE',
      message: `tensor conv1.weight in ${path} is of type I32, expected F32, F16 or BF16`,
    });
  });

  it('tell that a file is missing', async () => {
    const path = join(folder, 'nowhere');
    await expect(load(resnet, path)).rejects.toMatchObject({
      code: 'MODEL_WEIGHTS_UNREADABLE',
      message: `weights ${path} do not exist: create them with \`fcaenet weights fetch\` or \`weights convert\` (docs/weights.md)`,
    });
    const belowFile = join(await writeSafetensors(tensorsOf(resnet)), 'weights.pth');
    await expect(load(resnet, belowFile)).rejects.toMatchObject({
      code: 'MODEL_WEIGHTS_UNREADABLE',
      message: `weights ${belowFile} cannot be read (ENOTDIR)`,
    });
    const manifest = await writeManifest(tensorsOf(mobilenet));
    await rm(join(manifest, 'shard3'));
    await expect(load(mobilenet, manifest)).rejects.toMatchObject({
      code: 'MODEL_WEIGHTS_UNREADABLE',
      message: `weights ${join(manifest, 'shard3')} cannot be read (ENOENT)`,
    });
  });

  it('tell that a file is of an unknown kind', async () => {
    const path = join(folder, 'weights.h5');
    await writeFile(path, '');
    await expect(load(resnet, path)).rejects.toMatchObject({
      code: 'MODEL_WEIGHTS_FORMAT',
      message: expect.stringMatching(
        /weights\.h5 have an unknown format, expected a folder with weights\.json or model\.json, or /,
      ),
    });
  });

  it('tell that a shard is cut short', async () => {
    const manifest = await writeManifest(tensorsOf(mobilenet));
    const shard = await readFile(join(manifest, 'shard0'));
    await writeFile(join(manifest, 'shard0'), shard.subarray(0, shard.length - 4));
    await expect(load(mobilenet, manifest)).rejects.toMatchObject({
      code: 'MODEL_WEIGHTS_MANIFEST',
      message: `shards shard0 of ${join(manifest, 'model.json')} hold ${shard.length - 4} bytes, expected ${shard.length}`,
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
