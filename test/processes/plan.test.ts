import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { findDevices } from '../../src/machine/devices/find.js';
import { machineResources } from '../../src/machine/resources.js';
import { placesOn, planWorkers } from '../../src/processes/plan.js';
import { readTrainingRun } from '../../src/run/read.js';
import { type FakeGpu, FakeMachine, fakeDevice, fakeUuid } from '../kit/fake-machine.js';

const machines: FakeMachine[] = [];
afterEach(() => {
  for (const machine of machines.splice(0)) machine.remove();
});

/** The plan of examples/quick.yaml, with four microbatches, on a machine without TensorFlow for GPUs. */
async function planOn(gpus: readonly FakeGpu[], ...settings: string[]) {
  const machine = new FakeMachine({ gpus });
  machines.push(machine);
  const run = readTrainingRun(
    'examples/quick.yaml',
    settings.map((setting) => `spec.${setting}`),
  );
  return planWorkers(run, {
    packages: join(machine.folder, 'any.js'),
    devices: () => findDevices(machine.search),
  });
}

const six = Array.from({ length: 6 }, () => ({}));
const processors = Math.min(machineResources().processors, 4);

test('without GPUs there is a worker for each processor, which looks for no GPU again', async () => {
  const { places } = await planOn([]);
  const found = { devices: [], note: 'nvidia-smi failed: "No devices were found"' };
  expect(places).toEqual(
    Array.from({ length: processors }, () => ({
      device: null,
      processors: null,
      found,
      hidesGpus: false,
    })),
  );
});

test('where GPUs cannot be used, the workers on processors are told that there is none', async () => {
  const { places, sentence } = await planOn([{ driver: '470.199.02' }]);
  expect(places).toHaveLength(processors);
  expect(places[0]).toMatchObject({ device: null, hidesGpus: true });
  expect(sentence).toContain('is 470.199.02, too old for TensorFlow');
});

test('devices by name have a worker each, at most one per microbatch, and the rest is told', async () => {
  const { places, sentence } = await planOn(six, 'operation.devices=all', 'engine.name=onednn');
  expect(places.map(({ device }) => device!.index)).toEqual([0, 1, 2, 3]);
  expect(places[1]!.found).toMatchObject({ devices: [{ index: 1 }], note: null });
  expect(sentence).toBe(
    'engine onednn on the processors: the run names this engine; each worker still has one of the 6 GPUs that spec.operation.devices names, and does not compute on it; 2 of 6 get no worker, because a batch has 4 microbatches',
  );
});

test('more workers than GPUs share them in turn', async () => {
  const { places } = await planOn(six, `operation.devices=[4,${fakeUuid(1)}]`, 'operation.workers=3');
  expect(places.map(({ device }) => device!.index)).toEqual([4, 1, 4]);
});

test('devices none leaves the GPUs alone, and nobody is asked for them', async () => {
  const run = readTrainingRun('examples/quick.yaml', ['spec.operation.devices=none']);
  const { places, sentence } = await planWorkers(run, {
    devices: () => Promise.reject(new Error('the driver was asked')),
  });
  expect(places[0]).toMatchObject({ device: null, hidesGpus: true });
  expect(sentence).toBe('the processors compute: spec.operation.devices is none');
});

test('a worker on a GPU has its share of the processors near it', () => {
  const machine = new FakeMachine({
    program: null,
    files: { 'proc/self/status': 'Cpus_allowed_list:\t0-7\n' },
  });
  machines.push(machine);
  const devices = [0, 1, 2].map((index) => ({
    ...fakeDevice(index),
    nearProcessors: index < 2 ? [0, 1, 2, 3] : [4, 5, 6, 7],
  }));
  expect(placesOn(devices, machine.root).map(({ processors: share }) => share)).toEqual([
    [0, 1],
    [2, 3],
    [4, 5, 6, 7],
  ]);
});
