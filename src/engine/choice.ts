import { describeDevice, type FoundDevices, type GpuDevice, isOlder } from '../machine/devices/device.js';
import type { EngineName } from '../run/training-run.js';

/**
 * What TensorFlow's wheel for GPUs needs (scripts/tensorflow-gpu.txt): it is built with CUDA 12.5, and its kernels are
 * for compute capability 6.0 and newer. NVIDIA's minor version compatibility lets every CUDA 12 run on the driver of
 * CUDA 12.0.
 */
export const tensorflowForGpus = {
  version: '2.21.0',
  cuda: '12.5',
  leastDriver: '525.60.13',
  leastComputeCapability: '6.0',
  setUp: 'npm run setup:tensorflow -- --gpu',
} as const;

/** What is installed and found on this machine. */
export interface MachineEngines {
  readonly found: FoundDevices;
  /** Whether `@tensorflow/tfjs-node-gpu` is installed with its addon. */
  readonly hasTensorflowForGpus: boolean;
  /** Whether the kernels of the engine `onednn` are built. */
  readonly hasOnednn: boolean;
}

/** Which engine computes where, and why. */
export interface EngineChoice {
  /** Engines to try, best first. */
  readonly names: readonly EngineName[];
  /** The GPUs that it computes on; empty for the processors, or where the engine finds its GPU by itself. */
  readonly devices: readonly GpuDevice[];
  /** Why no GPU of NVIDIA computes, as a clause; null where one does, and where the run names an engine without. */
  readonly obstacle: string | null;
  /** Engine, place and reason. */
  readonly sentence: string;
}

/**
 * Chooses the engine. `auto` prefers GPUs to processors: it takes `tensorflow` where its package for GPUs and a GPU
 * that it can use are there, else `onednn`, else `tensorflow` on the processors; never `webgpu`. Where a GPU can be
 * used, nothing else is tried: processors in its place would be a hundred times slower without a word.
 */
export function chooseEngine(wanted: 'auto' | EngineName, machine: MachineEngines): EngineChoice {
  const { found, hasOnednn } = machine;
  if (wanted === 'onednn' || wanted === 'webgpu') {
    const where = wanted === 'onednn' ? 'the processors' : 'the GPU that Vulkan offers';
    return {
      names: [wanted],
      devices: [],
      obstacle: null,
      sentence: `engine ${wanted} on ${where}: the run names this engine`,
    };
  }
  const obstacle = obstacleToGpus(machine);
  if (obstacle === null) {
    const devices = found.devices.filter((device) => unfit(device) === null);
    const others = found.devices.flatMap((device) => unfit(device) ?? []);
    const reason = ['GPUs are preferred to processors', ...others].join('; ');
    return {
      names: ['tensorflow'],
      devices,
      obstacle,
      sentence: `engine tensorflow on ${listed(devices)}: ${reason}`,
    };
  }
  const onProcessors = (name: EngineName, reason: string) => `engine ${name} on the processors: ${reason}`;
  if (wanted === 'tensorflow') {
    return { names: ['tensorflow'], devices: [], obstacle, sentence: onProcessors('tensorflow', obstacle) };
  }
  return {
    names: ['onednn', 'tensorflow'],
    devices: [],
    obstacle,
    sentence: hasOnednn
      ? onProcessors('onednn', obstacle)
      : onProcessors(
          'tensorflow',
          `${obstacle}, and the kernels of onednn are not built (\`npm run setup\`)`,
        ),
  };
}

/** Why TensorFlow cannot compute on a GPU here, as a clause; null where it can. */
function obstacleToGpus({ found, hasTensorflowForGpus }: MachineEngines): string | null {
  const { devices, note } = found;
  if (devices.length === 0) return note ?? 'no GPU is found';
  const faults = devices.map(unfit);
  if (faults.every((fault) => fault !== null)) return faults[0]!;
  if (hasTensorflowForGpus) return null;
  return `${listed(devices)} could compute, but @tensorflow/tfjs-node-gpu is not installed (\`${tensorflowForGpus.setUp}\`)`;
}

/** Why TensorFlow for GPUs cannot use a device, as a clause; null where it can as far as the driver says. */
export function unfit(device: GpuDevice): string | null {
  const { driverVersion, computeCapability } = device;
  const { version, cuda, leastDriver, leastComputeCapability } = tensorflowForGpus;
  if (driverVersion !== null && isOlder(driverVersion, leastDriver)) {
    return `the driver of ${describeDevice(device)} is ${driverVersion}, too old for TensorFlow ${version}, which is built with CUDA ${cuda} and needs ${leastDriver} or newer`;
  }
  if (computeCapability !== null && isOlder(computeCapability, leastComputeCapability)) {
    return `${describeDevice(device)} has compute capability ${computeCapability}, but TensorFlow ${version} needs ${leastComputeCapability} or newer`;
  }
  return null;
}

function listed(devices: readonly GpuDevice[]): string {
  const [first, ...others] = devices;
  if (others.length === 0) return describeDevice(first!);
  return `${devices.length} GPUs, the first of them ${describeDevice(first!)}`;
}
