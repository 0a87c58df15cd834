import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { stateDictionary } from '../../src/export/network.js';
import { encodeStateDictionary, type FloatTensor } from '../../src/formats/state-dictionary.js';
import { encodeStoredZip } from '../../src/formats/stored-zip.js';
import { readTorchFile } from '../../src/model/weights/torch-file.js';
import { exportedLayouts, exportedNetwork } from './networks.js';

const folder = mkdtempSync(join(tmpdir(), 'fcaenet-export-'));
afterAll(() => rmSync(folder, { recursive: true }));

const resnet = exportedNetwork(exportedLayouts.resnet);
const mobilenet = exportedNetwork(exportedLayouts.mobilenet);

test('the reader of PyTorch files finds the tensors that were written', async () => {
  const path = join(folder, 'network.pt');
  const tensors = stateDictionary(resnet) as Record<string, FloatTensor>;
  writeFileSync(path, Buffer.concat(encodeStateDictionary(tensors)));
  const read = await readTorchFile(path, () => false);
  expect([...read.tensors]).toEqual(
    Object.entries(tensors).map(([name, { shape, data }]) => [name, { shape, data, type: 'F32' }]),
  );
});

test('the hash layer of a ResNet is fc, a row for each bit', () => {
  const tensors = stateDictionary(resnet);
  expect(tensors['fc.weight']!.shape).toEqual([12, 10]);
  const { offset } = resnet.layout.parameters.at(-2)!;
  // Bit 1 of input 2: in rows of inputs here, in rows of bits there.
  expect(tensors['fc.weight']!.data[10 + 2]).toBe(resnet.weights.parameters[offset + 2 * 12 + 1]);
});

test('the tensors of MobileNet have the names of its layers and PyTorch’s shapes', () => {
  const shapes = Object.entries(stateDictionary(mobilenet)).map(([name, { shape }]) => [name, shape]);
  expect(Object.fromEntries(shapes)).toMatchObject({
    'conv1.weight': [8, 3, 3, 3],
    'conv_dw_1.weight': [8, 1, 3, 3],
    'conv_pw_1.weight': [16, 8, 1, 1],
    'conv_pw_1_bn.weight': [16],
    'conv_pw_1_bn.bias': [16],
    'conv_pw_1_bn.running_mean': [16],
    'conv_pw_1_bn.running_var': [16],
    'fc.weight': [12, 256],
    'fc.bias': [12],
  });
});

test('every file of an archive begins at a multiple of the alignment', () => {
  const files = ['a', 'bcd', 'x'.repeat(50)].map((name) => ({ name, pieces: [Buffer.from(`<${name}>`)] }));
  const archive = Buffer.concat(encodeStoredZip(files, 64));
  for (const { pieces } of files) expect(archive.indexOf(pieces[0]!) % 64).toBe(0);
});
