import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { decodeSafetensors, encodeSafetensors } from '../../src/checkpoint/safetensors.js';
import { stateDictionary } from '../../src/export/network.js';
import { describeModel } from '../../src/model/layout.js';
import { fromTorchOrder } from '../../src/model/torch-order.js';
import { inspectWeights } from '../../src/model/weights/inspect.js';
import { backbones } from '../../src/run/training-run.js';
import { bytesOf } from '../../src/transport/bytes.js';
import { initialOf, load, weightsOf } from '../model/weight-files.js';
import { temporaryDirectory } from '../run/support.js';

const isEqual = (a: Float32Array, b: Float32Array) => Buffer.compare(bytesOf(a), bytesOf(b)) === 0;

test.each(backbones)('the exported network of %s is read back bit for bit', async (backbone) => {
  const layout = describeModel({ backbone, width: 0.25, bits: 12, imageSize: 64 });
  const weights = weightsOf(layout);
  const path = join(temporaryDirectory(), 'network.safetensors');
  const pieces = encodeSafetensors(stateDictionary({ layout, weights, metadata: {} }));
  for (const piece of pieces) writeFileSync(path, piece, { flag: 'a' });

  const read = await load(layout, path);
  const [hashWeight, hashBias] = layout.parameters.slice(-2) as [(typeof layout.parameters)[0], never];
  const trunk = hashWeight.offset;
  expect(isEqual(read.parameters.subarray(0, trunk), weights.parameters.subarray(0, trunk))).toBe(true);
  expect(isEqual(read.mean, weights.mean)).toBe(true);
  expect(isEqual(read.variance, weights.variance)).toBe(true);
  // The hash layer of a backbone's file is not taken, but it is in the file.
  expect(read.parameters.subarray(trunk)).toEqual(initialOf(layout).parameters.subarray(trunk));
  const { tensors } = decodeSafetensors(readFileSync(path), path);
  for (const [name, spec] of [['fc.weight', hashWeight] as const, ['fc.bias', hashBias] as const]) {
    const { offset, size } = spec as typeof hashWeight;
    const values = fromTorchOrder(tensors[name]!.data as Float32Array, spec);
    expect(isEqual(values, weights.parameters.subarray(offset, offset + size))).toBe(true);
  }
  if (backbone !== 'mobilenet_v1') return;
  expect(await inspectWeights(path)).toMatchObject({
    backbone,
    width: 0.25,
    filterOrder: 'out, in, height, width',
    changes: [],
  });
});

test.each([
  ['pyramids', 'pyramids'],
  ['branches of parts', { parts: 2, terms: [] }],
] as const)(
  'a run starts from the backbone of an exported network that has %s behind it',
  async (_, head) => {
    const settings = { backbone: 'mobilenet_v1', width: 0.25, bits: 12, imageSize: 64 } as const;
    const own = describeModel(settings, head);
    const weights = weightsOf(own);
    const path = join(temporaryDirectory(), 'network.safetensors');
    const pieces = encodeSafetensors(stateDictionary({ layout: own, weights, metadata: {} }));
    for (const piece of pieces) writeFileSync(path, piece, { flag: 'a' });
    for (const layout of [describeModel(settings), own]) {
      const read = await load(layout, path);
      const { offset } = layout.parameters[layout.trunkParts.parameters]!;
      expect(isEqual(read.parameters.subarray(0, offset), weights.parameters.subarray(0, offset))).toBe(true);
    }
    const { values } = await inspectWeights(path);
    const trunk = describeModel(settings);
    expect(values).toBe(trunk.parameters.at(-2)!.offset + 2 * trunk.statisticsCount);
  },
);

test('a folder of published weights with another file than its manifest says is refused', async () => {
  const folder = join(temporaryDirectory(), 'published');
  mkdirSync(folder);
  const manifest = {
    format: 'fcaenet-weights',
    formatVersion: 1,
    name: 'x',
    backbone: 'resnet18',
    width: 1,
    bits: 12,
    imageSize: 64,
    preprocessing: 'RGB',
    license: 'mit',
    file: { name: 'model.safetensors', bytes: 3, sha256: '0'.repeat(64) },
  };
  const write = (document: object) =>
    writeFileSync(join(folder, 'weights.json'), JSON.stringify({ ...manifest, ...document }));
  write({});
  await expect(inspectWeights(folder)).rejects.toMatchObject({
    code: 'MODEL_WEIGHTS_UNREADABLE',
    message: expect.stringMatching(/published\/model\.safetensors cannot be read \(ENOENT\)$/),
  });
  writeFileSync(join(folder, 'model.safetensors'), 'abc');
  await expect(inspectWeights(folder)).rejects.toMatchObject({
    code: 'MODEL_WEIGHTS_DIGEST',
    message: expect.stringMatching(/has SHA-256 ba7816bf\w+, but "weights\.json" beside it says 0{64}: one/),
  });
  for (const [document, reason] of [
    [{ file: { ...manifest.file, name: '../x' } }, /\(file\.name: a file name of letters/],
    [{ formatVersion: 2 }, /\(formatVersion: /],
    [{ backbone: 'vgg' }, /\(backbone: /],
  ] as const) {
    write(document);
    await expect(inspectWeights(folder)).rejects.toMatchObject({
      code: 'MODEL_WEIGHTS_MANIFEST',
      message: expect.stringMatching(reason),
    });
  }
});
