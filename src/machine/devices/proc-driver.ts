import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { systemText } from '../system-text.js';
import type { ListedDevice } from './nvidia-smi.js';

/**
 * The GPUs in /proc/driver/nvidia, which has them without a program, but says nothing of memory, compute capability and
 * slices. They are numbered by PCI bus id, as the driver's program numbers them.
 * @param root of the file system; for tests
 */
export function devicesInProc(root: string): ListedDevice[] {
  const folder = join(root, 'proc/driver/nvidia');
  const driverVersion =
    /Kernel Module.*?\s(\d+(?:\.\d+)+)\s/.exec(systemText(join(folder, 'version')))?.[1] ?? null;
  let busIds: string[];
  try {
    busIds = readdirSync(join(folder, 'gpus')).sort();
  } catch {
    return [];
  }
  return busIds.map((busId, index) => {
    const information = systemText(join(folder, 'gpus', busId, 'information'));
    const valueFor = (name: string) => new RegExp(`^${name}:\\s*(.*?)\\s*$`, 'm').exec(information)?.[1];
    const uuid = valueFor('GPU UUID');
    return {
      index,
      // The driver writes question marks until the GPU is used for the first time.
      uuid: uuid !== undefined && /^GPU-[0-9a-f-]+$/.test(uuid) ? uuid : null,
      name: valueFor('Model') || 'unknown GPU',
      slice: null,
      memoryBytes: null,
      driverVersion,
      computeCapability: null,
      busId: busId.toLowerCase(),
    };
  });
}
