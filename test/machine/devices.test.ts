import { afterEach, expect, test } from 'vitest';
import { describeDevice, isOlder, modelOf } from '../../src/machine/devices/device.js';
import { findDevices } from '../../src/machine/devices/find.js';
import { inheriting } from '../../src/machine/devices/inherited.js';
import { selectDevices } from '../../src/machine/devices/select.js';
import { FakeMachine, type FakeMachineOptions, fakeUuid } from '../kit/fake-machine.js';

const machines: FakeMachine[] = [];
afterEach(() => {
  for (const machine of machines.splice(0)) machine.remove();
});

function machineWith(options: FakeMachineOptions): FakeMachine {
  const machine = new FakeMachine(options);
  machines.push(machine);
  return machine;
}

const find = (machine: FakeMachine, variables: NodeJS.ProcessEnv = {}) =>
  findDevices({ ...machine.search, environment: { ...machine.environment, ...variables } });

const near = 'sys/bus/pci/devices/0000:07:00.0';

test('a GPU is found with what the driver says of it, and the processors of its NUMA node', async () => {
  const machine = machineWith({
    gpus: [{}],
    files: { [`${near}/local_cpulist`]: '0-2,64-65\n', [`${near}/numa_node`]: '0\n' },
  });
  const found = await find(machine);
  expect(found).toEqual({
    devices: [
      {
        index: 0,
        uuid: fakeUuid(0),
        name: 'NVIDIA A100-SXM4-80GB',
        slice: null,
        memoryBytes: 81920 * 2 ** 20,
        driverVersion: '550.54.15',
        computeCapability: '8.0',
        busId: '0000:07:00.0',
        nearProcessors: [0, 1, 2, 64, 65],
      },
    ],
    note: null,
  });
  expect(describeDevice(found.devices[0]!)).toBe(`GPU 0 (NVIDIA A100-SXM4-80GB, ${fakeUuid(0)})`);
});

test('a machine with one NUMA node says nothing of near processors', async () => {
  const machine = machineWith({
    gpus: [{}],
    files: { [`${near}/local_cpulist`]: '0-63\n', [`${near}/numa_node`]: '-1\n' },
  });
  expect((await find(machine)).devices[0]!.nearProcessors).toBeNull();
});

test('values that a driver does not have are null, and a name may hold a comma', async () => {
  const gpu = { name: 'NVIDIA Card, second edition', memoryMebibytes: '[N/A]', busId: '[N/A]' } as const;
  const [device] = (await find(machineWith({ gpus: [gpu] }))).devices;
  expect(device).toMatchObject({ name: 'NVIDIA Card, second edition', memoryBytes: null, busId: null });
});

test('the slices of a GPU with MIG stand in its place, with their own UUIDs', async () => {
  const slices = [
    { profile: '3g.40gb', uuid: 'MIG-11111111-aaaa' },
    { profile: '1g.10gb', uuid: 'MIG-GPU-2222/1/0' },
  ];
  const { devices, note } = await find(machineWith({ gpus: [{ slices }, {}, { slices: [] }] }));
  expect(devices.map((device) => [device.uuid, modelOf(device), device.memoryBytes])).toEqual([
    ['MIG-11111111-aaaa', 'NVIDIA A100-SXM4-80GB MIG 3g.40gb', 40e9],
    ['MIG-GPU-2222/1/0', 'NVIDIA A100-SXM4-80GB MIG 1g.10gb', 10e9],
    [fakeUuid(1), 'NVIDIA A100-SXM4-80GB', 81920 * 2 ** 20],
  ]);
  expect(note).toBe('GPU 2 is in MIG mode and has no slices');
});

test('a driver that does not know a field of the query is asked without it', async () => {
  const program = `case "$1" in
*compute_cap*) echo 'Field "compute_cap" is not a valid field to query.'; exit 2;;
*mig.mode*) echo 'Field "mig.mode.current" is not a valid field to query.'; exit 2;;
*) echo '0, GPU-1234, Tesla K80, 11441, 418.87.00, 00000000:05:00.0';;
esac`;
  const { devices } = await find(machineWith({ program }));
  expect(devices).toMatchObject([
    { name: 'Tesla K80', driverVersion: '418.87.00', computeCapability: null, busId: '0000:05:00.0' },
  ]);
});

test('a driver that hangs is told in a sentence, after the time limit', async () => {
  const machine = machineWith({ program: 'sleep 60' });
  const started = performance.now();
  expect(await findDevices({ ...machine.search, timeoutMs: 300 })).toEqual({
    devices: [],
    note: 'nvidia-smi did not answer within 0.3 s, so the driver may hang',
  });
  expect(performance.now() - started).toBeLessThan(5_000);
});

test('output without end is cut, and the devices before it count', async () => {
  const row = `0, ${fakeUuid(0)}, NVIDIA L4, 23034, 550.54.15, 8.9, [N/A], 00000000:07:00.0`;
  const machine = machineWith({ program: `echo '${row}'; head -c 30000000 /dev/zero | tr '\\0' x` });
  expect((await find(machine)).devices).toMatchObject([{ name: 'NVIDIA L4' }]);
});

test.each([
  [
    "echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18",
    'nvidia-smi failed: "Failed to initialize NVML: Driver/library version mismatch"',
  ],
  ['exit 9', 'nvidia-smi failed: exit code 9'],
  ['kill -SEGV $$', 'nvidia-smi failed: a signal ended it'],
  ["echo 'No devices were found'; exit 6", 'nvidia-smi failed: "No devices were found"'],
  ['exit 0', 'no GPU of NVIDIA is found'],
])('a driver whose program does `%s` has no devices, and its words are kept', async (program, note) => {
  expect(await find(machineWith({ program }))).toEqual({ devices: [], note });
});

test('a GPU that is lost is told beside those that are left', async () => {
  const row = `1, ${fakeUuid(1)}, NVIDIA L4, 23034, 550.54.15, 8.9, [N/A], 00000000:07:00.0`;
  const lost = 'Unable to determine the device handle for GPU 0000:06:00.0: GPU is lost.';
  const found = await find(machineWith({ program: `echo '${lost}'; echo '${row}'; exit 15` }));
  expect(found).toMatchObject({ devices: [{ index: 1 }], note: `nvidia-smi says "${lost}"` });
});

test('without nvidia-smi the GPUs are those in /proc, by bus id', async () => {
  const information = (uuid: string) =>
    `Model: \t\t NVIDIA A100-SXM4-80GB\nIRQ:   \t\t 334\nGPU UUID: \t ${uuid}\nBus Location: \t 0000:07:00.0\n`;
  const machine = machineWith({
    program: null,
    files: {
      'proc/driver/nvidia/version':
        'NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\nGCC version: 12\n',
      'proc/driver/nvidia/gpus/0000:0A:00.0/information': information('GPU-????????-????-????'),
      'proc/driver/nvidia/gpus/0000:07:00.0/information': information('GPU-0a0a'),
      'sys/bus/pci/devices/0000:0a:00.0/local_cpulist': '4-7\n',
    },
  });
  // Whatever this machine has is not the doubles'.
  const { devices, note } = await find(machine, { PATH: machine.folder });
  expect(devices).toMatchObject([
    { index: 0, uuid: 'GPU-0a0a', name: 'NVIDIA A100-SXM4-80GB', driverVersion: '535.104.05' },
    { index: 1, uuid: null, memoryBytes: null, computeCapability: null, nearProcessors: [4, 5, 6, 7] },
  ]);
  expect(note).toBe('nvidia-smi is not installed, so memory and compute capability of the GPUs are unknown');
});

test('the open kernel module says its version in other words', async () => {
  const machine = machineWith({
    program: null,
    files: {
      'proc/driver/nvidia/version':
        'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.15  Release Build  (root@host)\n',
      'proc/driver/nvidia/gpus/0000:07:00.0/information': 'Model: \t NVIDIA H100\n',
    },
  });
  const { devices } = await find(machine, { PATH: machine.folder });
  expect(devices).toMatchObject([{ driverVersion: '550.54.15' }]);
});

const three = () => machineWith({ gpus: [{}, {}, {}] });

test.each([
  ['CUDA_VISIBLE_DEVICES', '2,0', [2, 0]],
  ['CUDA_VISIBLE_DEVICES', `${fakeUuid(1)}`, [1]],
  ['CUDA_VISIBLE_DEVICES', 'GPU-2222,GPU-0000', [2, 0]],
  // As CUDA has it: what follows a name that no GPU has is hidden.
  ['CUDA_VISIBLE_DEVICES', '1,7,0', [1]],
  ['CUDA_VISIBLE_DEVICES', '1,-1,0', [1]],
  ['CUDA_VISIBLE_DEVICES', '1,1', [1]],
  ['NVIDIA_VISIBLE_DEVICES', 'all', [0, 1, 2]],
  ['NVIDIA_VISIBLE_DEVICES', 'void', [0, 1, 2]],
  ['NVIDIA_VISIBLE_DEVICES', fakeUuid(2), [2]],
  ['NVIDIA_VISIBLE_DEVICES', '0,2', [0, 2]],
  // Numbers of the machine outside the container, which has three of its GPUs.
  ['NVIDIA_VISIBLE_DEVICES', '3,5,7', [0, 1, 2]],
])('%s=%s shows GPUs %j of three', async (variable, value, expected) => {
  const { devices } = await find(three(), { [variable]: value });
  expect(devices.map(({ index }) => index)).toEqual(expected);
});

test.each([
  ['CUDA_VISIBLE_DEVICES', ''],
  ['CUDA_VISIBLE_DEVICES', '-1'],
  ['CUDA_VISIBLE_DEVICES', 'NoDevFiles'],
  ['NVIDIA_VISIBLE_DEVICES', 'none'],
])('%s=%s hides every GPU, and no driver is asked', async (variable, value) => {
  const machine = machineWith({ program: 'sleep 60' });
  expect(await find(machine, { [variable]: value })).toEqual({
    devices: [],
    note: `${variable}=${value} hides every GPU`,
  });
});

test('CUDA_VISIBLE_DEVICES counts before NVIDIA_VISIBLE_DEVICES', async () => {
  const { devices } = await find(three(), { CUDA_VISIBLE_DEVICES: '1', NVIDIA_VISIBLE_DEVICES: '0' });
  expect(devices.map(({ index }) => index)).toEqual([1]);
});

test('a setting that names none of the GPUs is told', async () => {
  expect(await find(three(), { CUDA_VISIBLE_DEVICES: '9' })).toEqual({
    devices: [],
    note: "CUDA_VISIBLE_DEVICES=9 names none of this machine's 3 GPUs",
  });
});

test('a child has the device that its parent gave it, and asks no driver', async () => {
  const { devices } = await find(three());
  const given = { devices: [devices[1]!], note: null };
  expect(await findDevices({ environment: { PATH: '', ...inheriting(given) } })).toEqual(given);
});

test('devices are selected by number and by UUID, each once, in the order named', async () => {
  const found = await find(three());
  const numbers = (named: Parameters<typeof selectDevices>[1]) =>
    selectDevices(found, named).map(({ index }) => index);
  expect(numbers('all')).toEqual([0, 1, 2]);
  expect(numbers([2, fakeUuid(0), '2'])).toEqual([2, 0]);
});

test('a device that is not there is refused with those that are', async () => {
  const found = await find(machineWith({ gpus: [{}, {}] }));
  expect(() => selectDevices(found, [7])).toThrow(
    expect.objectContaining({
      code: 'DEVICE_UNKNOWN',
      exitCode: 78,
      message: `device 7 must be one of this machine's GPUs: 0 (${fakeUuid(0)}), 1 (${fakeUuid(1)})`,
    }),
  );
  expect(() => selectDevices(found, ['GPU-9'])).toThrow('device "GPU-9" must be one of');
});

test('devices of a machine without any are refused with the reason', () => {
  const none = { devices: [], note: 'no GPU of NVIDIA is found' };
  expect(() => selectDevices(none, 'all')).toThrow(
    expect.objectContaining({
      code: 'DEVICE_NONE',
      exitCode: 69,
      message: 'devices are all, but there is none to compute on: no GPU of NVIDIA is found',
    }),
  );
  expect(() => selectDevices(none, [0, 1])).toThrow('devices are 0, 1, but there is none');
});

test.each([
  ['525.60.13', '525.60.13', false],
  ['525.60', '525.60.13', true],
  ['470.199.02', '525.60.13', true],
  ['525.125.06', '525.60.13', false],
  ['1000.1', '525.60.13', false],
])('%s is older than %s: %s', (version, than, expected) => {
  expect(isOlder(version, than)).toBe(expected);
});
