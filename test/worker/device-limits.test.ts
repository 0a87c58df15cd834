import { expect, test } from 'vitest';
import { EngineError } from '../../src/engine/error.js';
import { readTrainingRun } from '../../src/run/read.js';
import { explainedBy, requireDeviceMemory } from '../../src/worker/device-limits.js';
import { fakeDevice } from '../kit/fake-machine.js';

const { spec } = readTrainingRun('examples/cub-24bit.yaml');
const named = (index: number) => `GPU ${index} (NVIDIA A100-SXM4-80GB, ${fakeDevice(index).uuid})`;

test('a GPU whose memory cannot hold a microbatch is refused with both figures', () => {
  const device = { ...fakeDevice(0), memoryBytes: 2 ** 30 };
  expect(() => requireDeviceMemory(device, spec)).toThrow(
    expect.objectContaining({
      code: 'DEVICE_TOO_SMALL',
      exitCode: 78,
      message: expect.stringMatching(
        new RegExp(
          `^${named(0).replace(/[()]/g, '\\$&')} has 1\\.0 GiB of memory, but a microbatch of 8 rows needs at least 2\\.\\d GiB: choose more spec\\.schedule\\.microbatches, which changes the result$`,
        ),
      ),
    }),
  );
});

test('a GPU with enough memory, or one whose memory is unknown, is not refused', () => {
  requireDeviceMemory(fakeDevice(0), spec);
  requireDeviceMemory({ ...fakeDevice(0), memoryBytes: null }, spec);
});

test('an error that says that the GPU failed becomes the GPU’s, with its cause', () => {
  const error = new EngineError(
    'ENGINE_GRAPH',
    'TensorFlow cannot run it: CUDA_ERROR_LAUNCH_FAILED: unspecified',
  );
  const explained = explainedBy(fakeDevice(2), error);
  expect(explained).toMatchObject({ code: 'DEVICE_FAILED', cause: error });
  expect((explained as Error).message).toContain(`${named(2)} failed: CUDA reports CUDA_ERROR_LAUNCH_FAILED`);
});

test('any other error, and one on processors, stays as it is', () => {
  const error = new Error('CUDA_ERROR_LAUNCH_FAILED');
  expect(explainedBy(null, error)).toBe(error);
  const other = new Error('the disk is full');
  expect(explainedBy(fakeDevice(2), other)).toBe(other);
});
