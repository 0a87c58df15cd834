import { describeDevice, type GpuDevice } from '../machine/devices/device.js';
import { DeviceError } from '../machine/devices/error.js';
import { deviceFailure } from '../machine/devices/failure.js';
import { leastMicrobatchBytes, microbatchRows } from '../model/microbatch-memory.js';
import type { TrainingRunSpec } from '../run/training-run.js';

/**
 * Checks before the first step that a microbatch fits into the memory of a GPU, as far as its architecture says.
 * @throws DeviceError DEVICE_TOO_SMALL
 */
export function requireDeviceMemory(device: GpuDevice, spec: TrainingRunSpec): void {
  const needed = leastMicrobatchBytes(spec);
  if (device.memoryBytes === null || device.memoryBytes >= needed) return;
  throw new DeviceError(
    'DEVICE_TOO_SMALL',
    `${describeDevice(device)} has ${gibibytes(device.memoryBytes)} of memory, but a microbatch of ${microbatchRows(spec)} rows needs at least ${gibibytes(needed)}: choose more spec.schedule.microbatches, which changes the result`,
  );
}

/** The error of the device where the text of an error says that it failed, else the error itself. */
export function explainedBy(device: GpuDevice | null, error: unknown): unknown {
  if (device === null || error instanceof DeviceError) return error;
  return deviceFailure(device, error instanceof Error ? error.message : String(error), error) ?? error;
}

function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
