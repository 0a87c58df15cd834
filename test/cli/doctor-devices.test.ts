import { afterEach, expect, test } from 'vitest';
import { type DeviceMeasurement, devicesReport, examineDevices } from '../../src/commands/doctor-devices.js';
import { findDevices } from '../../src/machine/devices/find.js';
import { type FakeGpu, FakeMachine, fakeUuid } from '../kit/fake-machine.js';

const machines: FakeMachine[] = [];
afterEach(() => {
  for (const machine of machines.splice(0)) machine.remove();
});

function machineWith(gpus: readonly FakeGpu[]): FakeMachine {
  const machine = new FakeMachine({ gpus });
  machines.push(machine);
  return machine;
}

const mixed: readonly FakeGpu[] = [
  { name: 'NVIDIA H100 80GB HBM3', memoryMebibytes: 81559, computeCapability: '9.0' },
  { slices: [{ profile: '3g.40gb', uuid: 'MIG-1' }] },
  { name: 'Tesla K80', memoryMebibytes: 11441, computeCapability: '3.7', driver: '470.199.02' },
];

async function finding(measure: () => Promise<DeviceMeasurement>) {
  const found = await findDevices(machineWith(mixed).search);
  return examineDevices('auto', { found, hasTensorflowForGpus: true, hasOnednn: true }, measure);
}

test('GPUs are listed with what decides whether they can be used, and measured alone and together', async () => {
  let measured = 0;
  const speed = (rate: number) => ({
    runs: true as const,
    trainedImagesPerSecond: 100 * rate,
    outsideGraphs: rate / 80,
  });
  const found = await finding(async () => speed(++measured));
  expect(found.speeds!.outsideGraphs).toEqual({ alone: [0.0125, 0.025], together: [0.0375, 0.05] });
  expect(devicesReport(found)).toBe(
    [
      'GPU  memory GiB  driver      compute  name                               UUID',
      `  0        79.6  550.54.15   9.0      NVIDIA H100 80GB HBM3              ${fakeUuid(0)}`,
      '  1        37.3  550.54.15   8.0      NVIDIA A100-SXM4-80GB MIG 3g.40gb  MIG-1',
      `  2        11.2  470.199.02  3.7      Tesla K80                          ${fakeUuid(2)}`,
      '',
      'GPU 0, 1: its driver fits TensorFlow 2.21.0 (CUDA 12.5, driver 525.60.13 or newer).',
      `GPU 2: the driver of GPU 2 (Tesla K80, ${fakeUuid(2)}) is 470.199.02, too old for TensorFlow 2.21.0, which is built with CUDA 12.5 and needs 525.60.13 or newer.`,
      'Trained images/s of each GPU alone: 100.0, 200.0; all at once: 700.0.',
      'Share of the time outside the graphs of each GPU alone: 1.3 %, 2.5 %; all at once: 3.8 %, 5.0 %.',
      `Chosen: engine tensorflow on 2 GPUs, the first of them GPU 0 (NVIDIA H100 80GB HBM3, ${fakeUuid(0)}): GPUs are preferred to processors; the driver of GPU 2 (Tesla K80, ${fakeUuid(2)}) is 470.199.02, too old for TensorFlow 2.21.0, which is built with CUDA 12.5 and needs 525.60.13 or newer.`,
      '',
    ].join('\n'),
  );
});

test('a GPU on which the measurement fails is told with the reason, and there is no sum', async () => {
  const reason = 'TensorFlow cannot load libcudnn.so.9';
  expect(devicesReport(await finding(async () => ({ runs: false, reason })))).toContain(
    'Trained images/s of each GPU alone: failed, failed; all at once: failed.\n' +
      'Share of the time outside the graphs of each GPU alone: failed, failed; all at once: failed, failed.\n' +
      `GPU 0 was not measured: ${reason}.\nGPU 1 was not measured: ${reason}.\n`,
  );
});
