/** A GPU of NVIDIA, or a slice of one (MIG). What the driver does not tell is null. */
export interface GpuDevice {
  /** The driver's number of the GPU, by PCI bus id. A slice has its GPU's. */
  readonly index: number;
  /** `GPU-…`, of a slice `MIG-…`. */
  readonly uuid: string | null;
  /** The manufacturer's name of the GPU. */
  readonly name: string;
  /** Profile of the MIG slice, such as `1g.10gb`; null for a whole GPU. */
  readonly slice: string | null;
  readonly memoryBytes: number | null;
  readonly driverVersion: string | null;
  /** Such as `8.0`. */
  readonly computeCapability: string | null;
  /** `0000:07:00.0`, as in /sys/bus/pci/devices. */
  readonly busId: string | null;
  /** Numbers of the processors near it, of its NUMA node. */
  readonly nearProcessors: readonly number[] | null;
}

/** The GPUs of a machine that this process may use. */
export interface FoundDevices {
  readonly devices: readonly GpuDevice[];
  /** Why there is none, or what is doubtful about them, as a clause; null where nothing is to be said. */
  readonly note: string | null;
}

/** Name and slice: what decides which kernels run, so it belongs to the numerical identity. */
export function modelOf({ name, slice }: GpuDevice): string {
  return slice === null ? name : `${name} MIG ${slice}`;
}

/** The value of CUDA_VISIBLE_DEVICES that shows this device alone. Numbers count by PCI bus id. */
function visibleIdOf({ uuid, index }: GpuDevice): string {
  return uuid ?? String(index);
}

/** What shows a process one GPU only. The number of a GPU counts by PCI bus id, as the driver counts. */
export function cudaEnvironment(gpu: GpuDevice): Record<string, string> {
  return {
    CUDA_VISIBLE_DEVICES: visibleIdOf(gpu),
    CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
    TF_FORCE_GPU_ALLOW_GROWTH: 'true',
  };
}

/** The device for a sentence: number, model and UUID. */
export function describeDevice(device: GpuDevice): string {
  return `GPU ${device.index} (${[modelOf(device), device.uuid].filter((part) => part !== null).join(', ')})`;
}

/** Compares versions such as `525.60.13` number by number. */
export function isOlder(version: string, than: string): boolean {
  const [own, other] = [version, than].map((text) => text.split('.').map(Number));
  for (let place = 0; place < Math.max(own!.length, other!.length); place++) {
    const difference = (own![place] ?? 0) - (other![place] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
