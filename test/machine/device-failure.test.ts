import { expect, test } from 'vitest';
import { deviceFailure } from '../../src/machine/devices/failure.js';
import { fakeDevice } from '../kit/fake-machine.js';

const device = fakeDevice(3);
const lost = 'restart its driver or the machine before it computes again';
const again = 'if it fails again, look at the kernel log for its Xid';
const small = 'end what else uses it, or choose more spec.schedule.microbatches, which changes the result';

test.each([
  ['NVRM: GPU at PCI:0000:3b:00: GPU has fallen off the bus.', 'it fell off the bus', 'DEVICE_LOST', lost],
  ['GPU 0000:3B:00.0: GPU is lost. Reboot the system', 'it fell off the bus', 'DEVICE_LOST', lost],
  [
    'F0000 cuda_event.cc:41] failed to query event: CUDA_ERROR_ECC_UNCORRECTABLE: uncorrectable ECC error encountered',
    'its memory has an ECC error that cannot be corrected',
    'DEVICE_LOST',
    lost,
  ],
  [
    'CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected',
    'the driver does not have it any more',
    'DEVICE_LOST',
    lost,
  ],
  ['NVRM: Xid (PCI:0000:3b:00): 79, pid=12, name=node', 'the driver reports Xid 79', 'DEVICE_LOST', lost],
  ['NVRM: Xid (PCI:0000:3b:00): 31, pid=12, MMU Fault', 'the driver reports Xid 31', 'DEVICE_FAILED', again],
  [
    'CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access was encountered',
    'CUDA reports CUDA_ERROR_ILLEGAL_ADDRESS',
    'DEVICE_FAILED',
    again,
  ],
  ['CUDNN_STATUS_EXECUTION_FAILED', 'CUDA reports CUDNN_STATUS_EXECUTION_FAILED', 'DEVICE_FAILED', again],
  [
    'OOM when allocating tensor with shape[24,64,112,112] on /job:localhost/replica:0/task:0/device:GPU:0 by allocator GPU_0_bfc',
    'its memory does not suffice',
    'DEVICE_OUT_OF_MEMORY',
    small,
  ],
  [
    'RESOURCE_EXHAUSTED: Out of memory while trying to allocate 12 bytes.',
    'its memory does not suffice',
    'DEVICE_OUT_OF_MEMORY',
    small,
  ],
  ['CUDA_ERROR_OUT_OF_MEMORY: out of memory', 'its memory does not suffice', 'DEVICE_OUT_OF_MEMORY', small],
])('"%s" is a failure of the device, which the sentence names', (text, meaning, code, remedy) => {
  const error = deviceFailure(device, `before it\n  ${text}\nafter it`)!;
  expect(error.code).toBe(code);
  expect(error.message).toBe(
    `GPU 3 (NVIDIA A100-SXM4-80GB, ${device.uuid}) failed: ${meaning} ("${text}"); ${remedy}`,
  );
  expect(error.exitCode).toBe(code === 'DEVICE_LOST' ? 69 : 1);
});

test.each([
  'the coordinator refused this worker: Xidazoline',
  'OOM when allocating tensor on /job:localhost/replica:0/task:0/device:CPU:0 by allocator cpu',
  'ENOMEM: not enough memory',
  '',
])('%j is no failure of a device', (text) => {
  expect(deviceFailure(device, text)).toBeNull();
});

test('a long line is cut in the sentence', () => {
  const { message } = deviceFailure(device, `CUDA_ERROR_ASSERT ${'x'.repeat(5000)}`)!;
  expect(message.length).toBeLessThan(400);
  expect(message).toContain('…');
});
