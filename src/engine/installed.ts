import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { FoundDevices } from '../machine/devices/device.js';
import { findDevices } from '../machine/devices/find.js';
import type { EngineName } from '../run/training-run.js';
import type { MachineEngines } from './choice.js';
import { builtAddonPath } from './onednn/addon.js';

/** Where to look for what `machineEngines` finds; for tests. */
export interface EngineSearch {
  /** The kernels of `onednn`. */
  readonly addonPath: string;
  /** A file from which npm packages are looked for. */
  readonly packages: string | URL;
  readonly devices: () => Promise<FoundDevices>;
}

/** What is installed and found on this machine. Devices are looked for only where the engine uses them. */
export async function machineEngines(
  name: 'auto' | EngineName,
  {
    addonPath = builtAddonPath,
    packages = import.meta.url,
    devices = findDevices,
  }: Partial<EngineSearch> = {},
): Promise<MachineEngines> {
  const needsDevices = name === 'auto' || name === 'tensorflow';
  return {
    found: needsDevices ? await devices() : { devices: [], note: null },
    hasTensorflowForGpus: hasTensorflowForGpus(packages),
    hasOnednn: existsSync(addonPath),
  };
}

/** Whether the package for GPUs is installed with its addon. It is not loaded: a coordinator loads no engine. */
function hasTensorflowForGpus(from: string | URL): boolean {
  try {
    const folder = dirname(createRequire(from).resolve('@tensorflow/tfjs-node-gpu/package.json'));
    return existsSync(join(folder, 'lib', 'napi-v8', 'tfjs_binding.node'));
  } catch {
    return false;
  }
}
