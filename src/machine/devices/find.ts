import { join } from 'node:path';
import { systemText } from '../system-text.js';
import type { FoundDevices, GpuDevice } from './device.js';
import { inheritedDevices } from './inherited.js';
import { askDriver, type ListedDevice } from './nvidia-smi.js';
import { devicesInProc } from './proc-driver.js';
import { parseProcessorList } from './processor-list.js';
import { visibilityOf, visibleDevices } from './visible.js';

export interface DeviceSearch {
  readonly environment: NodeJS.ProcessEnv;
  /** Root of /proc and /sys. */
  readonly root: string;
  /** Time limit of each call of the driver's program. */
  readonly timeoutMs: number;
}

/** A driver without persistence mode initialises every GPU first, about a second each. */
const patienceMs = 20_000;

/**
 * Finds the GPUs that this process may use: those of CUDA_VISIBLE_DEVICES or NVIDIA_VISIBLE_DEVICES if one is set, of
 * those that the driver has (`nvidia-smi`, or /proc/driver/nvidia where there is no such program). A child that was
 * given a device by its parent has that one, and asks no driver.
 */
export async function findDevices({
  environment = process.env,
  root = '/',
  timeoutMs = patienceMs,
}: Partial<DeviceSearch> = {}): Promise<FoundDevices> {
  const inherited = inheritedDevices(environment);
  if (inherited !== null) return inherited;
  const visibility = visibilityOf(environment);
  if (visibility?.ids.length === 0) return { devices: [], note: `${visibility.setting} hides every GPU` };
  const { listed, note } = await listDevices({ environment, root, timeoutMs });
  const all = listed.map((device) => ({ ...device, nearProcessors: nearProcessors(device, root) }));
  const devices = visibility === null ? all : visibleDevices(all, visibility);
  if (all.length > 0 && devices.length === 0) {
    return { devices, note: `${visibility!.setting} names none of this machine's ${all.length} GPUs` };
  }
  return { devices, note };
}

async function listDevices({ environment, root, timeoutMs }: DeviceSearch): Promise<{
  readonly listed: readonly ListedDevice[];
  readonly note: string | null;
}> {
  const answer = await askDriver({ environment, timeoutMs });
  if (answer.how === 'answered') {
    return { listed: answer.devices, note: answer.note ?? (answer.devices.length > 0 ? null : noGpu) };
  }
  // A driver that hangs or fails serves nobody.
  if (answer.how === 'failed') return { listed: [], note: answer.reason };
  const listed = devicesInProc(root);
  const note = 'nvidia-smi is not installed, so memory and compute capability of the GPUs are unknown';
  return { listed, note: listed.length > 0 ? note : noGpu };
}

const noGpu = 'no GPU of NVIDIA is found';

/** Processors of the device's NUMA node; null where there is one node, or the system does not say. */
function nearProcessors({ busId }: ListedDevice, root: string): GpuDevice['nearProcessors'] {
  if (busId === null) return null;
  const read = (file: string) => systemText(join(root, 'sys/bus/pci/devices', busId, file)).trim();
  const list = read('local_cpulist');
  return list === '' || read('numa_node') === '-1' ? null : parseProcessorList(list);
}
