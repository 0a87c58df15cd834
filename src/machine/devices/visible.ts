import type { GpuDevice } from './device.js';

/** What the environment says of the devices that a process may use. */
export interface Visibility {
  /** The variable and its value, for messages. */
  readonly setting: string;
  /** The entries; empty hides every device. */
  readonly ids: readonly string[];
  /** Whether entries that name no device end the list, as CUDA has it, or make the whole setting another machine's. */
  readonly isCuda: boolean;
}

/**
 * Reads CUDA_VISIBLE_DEVICES, and where it is not set NVIDIA_VISIBLE_DEVICES, of which a container's runtime makes which
 * devices there are.
 * @returns null where neither restricts
 */
export function visibilityOf(environment: NodeJS.ProcessEnv): Visibility | null {
  const { CUDA_VISIBLE_DEVICES: cuda, NVIDIA_VISIBLE_DEVICES: container } = environment;
  if (cuda !== undefined) {
    const ids = entriesOf(cuda);
    const end = ids.findIndex((id) => /^-\d+$/.test(id) || id === 'NoDevFiles');
    return {
      setting: `CUDA_VISIBLE_DEVICES=${cuda}`,
      ids: end < 0 ? ids : ids.slice(0, end),
      isCuda: true,
    };
  }
  // `void` says that another mechanism hands out the devices.
  if (container === undefined || ['', 'all', 'void'].includes(container)) return null;
  const ids = container === 'none' ? [] : entriesOf(container);
  return { setting: `NVIDIA_VISIBLE_DEVICES=${container}`, ids, isCuda: false };
}

/** The devices that the environment shows, in its order. */
export function visibleDevices(all: readonly GpuDevice[], { ids, isCuda }: Visibility): readonly GpuDevice[] {
  const chosen: GpuDevice[] = [];
  for (const id of ids) {
    const named = devicesNamed(all, id);
    if (named.length === 0) {
      if (isCuda) break;
      // Numbers of the machine outside the container: its runtime has applied them.
      return all;
    }
    chosen.push(...named.filter((device) => !chosen.includes(device)));
  }
  return chosen;
}

/** The devices with a number (with MIG: all slices of the GPU), or whose UUID begins so, as CUDA allows. */
export function devicesNamed(devices: readonly GpuDevice[], id: string): readonly GpuDevice[] {
  if (/^\d+$/.test(id)) return devices.filter(({ index }) => index === Number(id));
  if (!/^(GPU|MIG)-./.test(id)) return [];
  return devices.filter(({ uuid }) => uuid?.toLowerCase().startsWith(id.toLowerCase()));
}

function entriesOf(text: string): string[] {
  return text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
}
