import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { chooseEngine, tensorflowForGpus } from '../../src/engine/choice.js';
import { machineEngines } from '../../src/engine/installed.js';
import { findDevices } from '../../src/machine/devices/find.js';
import type { EngineName } from '../../src/run/training-run.js';
import { type FakeGpu, FakeMachine, fakeUuid } from '../kit/fake-machine.js';

const machines: FakeMachine[] = [];
afterEach(() => {
  for (const machine of machines.splice(0)) machine.remove();
});

interface Installed {
  readonly gpus: readonly FakeGpu[];
  readonly onednn: boolean;
  readonly tensorflowForGpus: boolean;
}

/** What is chosen on a machine of doubles: a driver's program, the file of an addon, the files of an npm package. */
async function choiceOn(installed: Installed, wanted: 'auto' | EngineName = 'auto') {
  const machine = new FakeMachine({ gpus: installed.gpus });
  machines.push(machine);
  const touch = (path: string, text: string) => {
    const file = join(machine.folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    return file;
  };
  const addonPath = join(machine.folder, 'onednn.node');
  if (installed.onednn) touch('onednn.node', '');
  if (installed.tensorflowForGpus) {
    touch('node_modules/@tensorflow/tfjs-node-gpu/package.json', '{}');
    touch('node_modules/@tensorflow/tfjs-node-gpu/lib/napi-v8/tfjs_binding.node', '');
  }
  const found = await machineEngines(wanted, {
    addonPath,
    packages: join(machine.folder, 'any.js'),
    devices: () => findDevices(machine.search),
  });
  const { names, devices, sentence } = chooseEngine(wanted, found);
  return { names, gpus: devices.map(({ index }) => index), sentence };
}

const gpu0 = `GPU 0 (NVIDIA A100-SXM4-80GB, ${fakeUuid(0)})`;

test('a machine with GPU and oneDNN computes on the GPU', async () => {
  expect(await choiceOn({ gpus: [{}], onednn: true, tensorflowForGpus: true })).toEqual({
    names: ['tensorflow'],
    gpus: [0],
    sentence: `engine tensorflow on ${gpu0}: GPUs are preferred to processors`,
  });
});

test('a machine with GPUs only computes on all of them', async () => {
  expect(await choiceOn({ gpus: [{}, {}], onednn: false, tensorflowForGpus: true })).toEqual({
    names: ['tensorflow'],
    gpus: [0, 1],
    sentence: `engine tensorflow on 2 GPUs, the first of them ${gpu0}: GPUs are preferred to processors`,
  });
});

test('a machine with neither takes what TensorFlow there is, on the processors', async () => {
  expect(await choiceOn({ gpus: [], onednn: false, tensorflowForGpus: false })).toEqual({
    names: ['onednn', 'tensorflow'],
    gpus: [],
    sentence:
      'engine tensorflow on the processors: nvidia-smi failed: "No devices were found", and the kernels of onednn are not built (`npm run setup`)',
  });
});

test('a machine whose driver is too old for CUDA 12 computes on the processors, and both versions are named', async () => {
  const gpus = [{ driver: '470.199.02' }];
  expect(await choiceOn({ gpus, onednn: true, tensorflowForGpus: true })).toEqual({
    names: ['onednn', 'tensorflow'],
    gpus: [],
    sentence: `engine onednn on the processors: the driver of ${gpu0} is 470.199.02, too old for TensorFlow 2.21.0, which is built with CUDA 12.5 and needs 525.60.13 or newer`,
  });
});

test('a machine with a GPU but without the package for GPUs is told the command that installs it', async () => {
  expect((await choiceOn({ gpus: [{}], onednn: true, tensorflowForGpus: false })).sentence).toBe(
    `engine onednn on the processors: ${gpu0} could compute, but @tensorflow/tfjs-node-gpu is not installed (\`npm run setup:tensorflow -- --gpu\`)`,
  );
});

test('of two GPUs one of which is too old for the kernels, the other computes', async () => {
  const gpus = [{ name: 'Quadro M6000', computeCapability: '5.2' }, {}];
  expect(await choiceOn({ gpus, onednn: true, tensorflowForGpus: true })).toEqual({
    names: ['tensorflow'],
    gpus: [1],
    sentence: `engine tensorflow on GPU 1 (NVIDIA A100-SXM4-80GB, ${fakeUuid(1)}): GPUs are preferred to processors; GPU 0 (Quadro M6000, ${fakeUuid(0)}) has compute capability 5.2, but TensorFlow 2.21.0 needs 6.0 or newer`,
  });
});

test.each([
  ['onednn', ['onednn'], [], 'engine onednn on the processors: the run names this engine'],
  ['webgpu', ['webgpu'], [], 'engine webgpu on the GPU that Vulkan offers: the run names this engine'],
  ['tensorflow', ['tensorflow'], [0], `engine tensorflow on ${gpu0}: GPUs are preferred to processors`],
] as const)('a run that names %s gets it on any machine', async (name, names, gpus, sentence) => {
  expect(await choiceOn({ gpus: [{}], onednn: true, tensorflowForGpus: true }, name)).toEqual({
    names,
    gpus,
    sentence,
  });
});

test('TensorFlow on the processors by name says why it has no GPU', async () => {
  const { names, sentence } = await choiceOn(
    { gpus: [{}], onednn: true, tensorflowForGpus: false },
    'tensorflow',
  );
  expect(names).toEqual(['tensorflow']);
  expect(sentence).toMatch(/^engine tensorflow on the processors: GPU 0 .* could compute, but/);
});

test('a package without its addon is not installed', async () => {
  const machine = new FakeMachine({ gpus: [{}] });
  machines.push(machine);
  const folder = join(machine.folder, 'node_modules/@tensorflow/tfjs-node-gpu');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{}');
  const found = await machineEngines('auto', {
    packages: join(machine.folder, 'any.js'),
    devices: () => findDevices(machine.search),
  });
  expect(found.hasTensorflowForGpus).toBe(false);
});

test('the version in the sentences is that of the wheel for GPUs', () => {
  const wheels = readFileSync('scripts/tensorflow-gpu.txt', 'utf8');
  expect(wheels).toContain(`tensorflow==${tensorflowForGpus.version} `);
  expect(wheels).toContain('nvidia-cuda-runtime-cu12==');
});
