import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import type { GpuDevice } from '../../src/machine/devices/device.js';

export interface FakeGpu {
  readonly name?: string;
  readonly uuid?: string;
  readonly memoryMebibytes?: number | '[N/A]';
  readonly driver?: string;
  readonly computeCapability?: string;
  readonly busId?: string;
  /** Profiles and UUIDs of its MIG slices; undefined for a GPU without MIG. */
  readonly slices?: readonly { readonly profile: string; readonly uuid: string }[];
}

export interface FakeMachineOptions {
  readonly gpus?: readonly FakeGpu[];
  /** Body of the driver's program instead of what answers for `gpus`; null for a machine without it. */
  readonly program?: string | null;
  /** Files by path below the root of /proc and /sys. */
  readonly files?: Readonly<Record<string, string>>;
}

export function fakeUuid(index: number): string {
  return `GPU-${String(index).repeat(8)}-aaaa-bbbb-cccc-0123456789ab`;
}

/** A device as `findDevices` describes one of a fake machine. */
export function fakeDevice(index: number): GpuDevice {
  return {
    index,
    uuid: fakeUuid(index),
    name: defaultName,
    slice: null,
    memoryBytes: 80 * 2 ** 30,
    driverVersion: '550.54.15',
    computeCapability: '8.0',
    busId: null,
    nearProcessors: null,
  };
}

/**
 * A machine for those who look for GPUs: a folder with a program `nvidia-smi`, and a root of /proc and /sys. Processes
 * that are started with its environment find the program before any other.
 */
export class FakeMachine {
  readonly folder = mkdtempSync(join(tmpdir(), 'fcaenet-machine-'));
  readonly root = join(this.folder, 'root');
  private readonly programs = join(this.folder, 'bin');

  constructor({ gpus = [], program, files = {} }: FakeMachineOptions = {}) {
    mkdirSync(this.programs);
    mkdirSync(this.root);
    for (const [path, text] of Object.entries(files)) {
      const file = join(this.root, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
    if (program !== null) this.write(program ?? answering(gpus));
  }

  /** Replaces the driver's program. */
  write(body: string): void {
    const file = join(this.programs, 'nvidia-smi');
    writeFileSync(file, `#!/bin/sh\n${body}\n`);
    chmodSync(file, 0o755);
  }

  /** This process's environment, with the machine's program on PATH and no other restriction of devices. */
  get environment(): NodeJS.ProcessEnv {
    const environment: NodeJS.ProcessEnv = {
      ...process.env,
      PATH: `${this.programs}${delimiter}${process.env.PATH}`,
    };
    delete environment.CUDA_VISIBLE_DEVICES;
    delete environment.NVIDIA_VISIBLE_DEVICES;
    return environment;
  }

  /** Where `findDevices` looks. */
  get search() {
    return { environment: this.environment, root: this.root };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The fields of the query in the order in which they are asked for, and the list with slices. */
function answering(gpus: readonly FakeGpu[]): string {
  const rows = gpus.map((gpu, index) => rowOf(gpu, index));
  const list = gpus.flatMap(({ name = defaultName, uuid, slices = [] }, index) => [
    `GPU ${index}: ${name} (UUID: ${uuid ?? fakeUuid(index)})`,
    ...slices.map(
      ({ profile, uuid: ofSlice }, place) => `  MIG ${profile}     Device  ${place}: (UUID: ${ofSlice})`,
    ),
  ]);
  return [
    'case "$1" in',
    `--query-gpu=index,uuid,name,memory.total,driver_version,compute_cap,mig.mode.current,pci.bus_id) cat <<'END'`,
    ...(rows.length > 0 ? rows : ['No devices were found']),
    'END',
    ...(rows.length > 0 ? [] : ['exit 6']),
    ';;',
    "-L) cat <<'END'",
    ...list,
    'END',
    ';;',
    '*) echo "unexpected: $*" >&2; exit 1;;',
    'esac',
  ].join('\n');
}

const defaultName = 'NVIDIA A100-SXM4-80GB';

function rowOf(gpu: FakeGpu, index: number): string {
  const {
    name = defaultName,
    uuid = fakeUuid(index),
    memoryMebibytes = 81920,
    driver = '550.54.15',
    computeCapability = '8.0',
    busId = `00000000:${(index + 7).toString(16).toUpperCase().padStart(2, '0')}:00.0`,
    slices,
  } = gpu;
  const mig = slices === undefined ? '[N/A]' : 'Enabled';
  return [index, uuid, name, memoryMebibytes, driver, computeCapability, mig, busId].join(', ');
}
