import { quote } from '../../errors.js';
import type { FoundDevices, GpuDevice } from './device.js';
import { DeviceError } from './error.js';
import { devicesNamed } from './visible.js';

/** Devices that somebody names: all, or some by number or UUID. */
export type NamedDevices = 'all' | readonly (number | string)[];

/** What may be written for one device; CUDA accepts the beginning of a UUID. */
export const deviceId = /^(\d{1,4}|(GPU|MIG)-[0-9A-Za-z-]{1,80})$/;

/**
 * The devices with these numbers and UUIDs, each once, in the order in which they are named.
 * @throws DeviceError DEVICE_NONE where this process has no device, DEVICE_UNKNOWN for a name that none of them has
 */
export function selectDevices({ devices, note }: FoundDevices, named: NamedDevices): readonly GpuDevice[] {
  if (devices.length === 0) {
    throw new DeviceError(
      'DEVICE_NONE',
      `devices are ${named === 'all' ? 'all' : named.join(', ')}, but there is none to compute on: ${note ?? 'no GPU is found'}`,
    );
  }
  if (named === 'all') return devices;
  const chosen = named.flatMap((name) => {
    const found = devicesNamed(devices, String(name));
    if (found.length > 0) return found;
    const known = devices.map(({ index, uuid }) => (uuid === null ? `${index}` : `${index} (${uuid})`));
    throw new DeviceError(
      'DEVICE_UNKNOWN',
      `device ${typeof name === 'number' ? name : quote(name)} must be one of this machine's GPUs: ${known.join(', ')}`,
    );
  });
  return [...new Set(chosen)];
}
