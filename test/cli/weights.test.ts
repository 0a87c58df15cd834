import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeModel } from '../../src/model/layout.js';
import { torchShape } from '../../src/model/torch-order.js';
import { type TorchTensor, torchZip } from '../model/torch-writer.js';
import { temporaryDirectory } from '../run/support.js';

function fcaenet(...args: string[]) {
  return spawnSync(process.execPath, ['dist/cli.js', 'weights', ...args], { encoding: 'utf8' });
}

function resnet18(): Map<string, TorchTensor> {
  const layout = describeModel({ backbone: 'resnet18', width: 1, bits: 8, imageSize: 64 });
  const tensors = new Map<string, TorchTensor>();
  for (const spec of layout.parameters.slice(0, -2)) {
    tensors.set(spec.name, { shape: torchShape(spec), data: new Float32Array(spec.size).fill(0.5) });
  }
  for (const { meanName, varianceName, channels } of layout.batchNorms) {
    tensors.set(meanName, { shape: [channels], data: new Float32Array(channels) });
    tensors.set(varianceName, { shape: [channels], data: new Float32Array(channels).fill(1) });
  }
  return tensors;
}

test('weights check says what a file is of; convert writes it once, into a folder that it makes', () => {
  const folder = temporaryDirectory();
  const [source, output] = [join(folder, 'r.pth'), join(folder, 'made/r.safetensors')];
  writeFileSync(source, torchZip(resnet18()));
  const checked = fcaenet('check', source);
  expect([checked.status, checked.stderr]).toEqual([0, '']);
  expect(JSON.parse(checked.stdout)).toMatchObject({
    message: 'weights',
    format: 'PyTorch',
    backbone: 'resnet18',
    filterOrder: 'out, in, height, width',
    batchNorm: 'weight, bias, running_mean, running_var',
    epsilon: 1e-5,
    preprocessing: 'RGB, (byte / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]',
  });
  expect(fcaenet('convert', source, output)).toMatchObject({ status: 0, stderr: '' });
  expect(JSON.parse(fcaenet('check', output).stdout)).toMatchObject({
    format: 'safetensors',
    backbone: 'resnet18',
  });
  const again = fcaenet('convert', source, output);
  expect([again.status, again.stderr]).toEqual([73, `fcaenet: ${output} exists already.\n`]);
  const inside = join(source, 'in-a-file.safetensors');
  expect(fcaenet('convert', source, inside)).toMatchObject({
    status: 73,
    stderr: `fcaenet: ${inside} cannot be written (ENOTDIR).\n`,
  });
  expect([readdirSync(folder).sort(), readdirSync(join(folder, 'made'))]).toEqual([
    ['made', 'r.pth'],
    ['r.safetensors'],
  ]);
});

test('weights check names the tensor that does not fit', () => {
  const path = join(temporaryDirectory(), 'r.pth');
  const tensors = resnet18();
  tensors.set('layer1.0.bn1.bias', { shape: [32], data: new Float32Array(32) });
  writeFileSync(path, torchZip(tensors));
  const { status, stderr } = fcaenet('check', path);
  expect(stderr).toBe(
    `fcaenet: tensor layer1.0.bn1.bias in ${path} has shape [32], expected [64] for resnet18.\n`,
  );
  expect(status).toBe(65);
});

test('weights convert refuses another format, weights fetch another name', () => {
  const output = join(temporaryDirectory(), 'r.pth');
  expect(fcaenet('convert', 'absent.pth', output)).toMatchObject({
    status: 64,
    stderr: `fcaenet: the output is ${output}, expected a name that ends in .safetensors.\n`,
  });
  const { status, stderr } = fcaenet('fetch', 'resnet51');
  expect(stderr).toMatch(
    /^fcaenet: there are no published weights "resnet51", expected one of mobilenet_v1-0\.25-imagenet1k, [^\n]*\n$/,
  );
  expect([status, existsSync('resnet51')]).toEqual([65, false]);
});
