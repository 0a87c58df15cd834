import { formatTable } from '../console/table.js';
import { chooseEngine, type MachineEngines, tensorflowForGpus, unfit } from '../engine/choice.js';
import { type FoundDevices, type GpuDevice, modelOf } from '../machine/devices/device.js';
import type { EngineName } from '../run/training-run.js';
import type { WorkerSpeed } from '../worker/measure-speed.js';

/** What is measured of the worker on one GPU. */
export type DeviceSpeed = Pick<WorkerSpeed, 'trainedImagesPerSecond' | 'outsideGraphs'>;

/** The speed on one GPU, or why there is none. */
export type DeviceMeasurement =
  | ({ readonly runs: true } & DeviceSpeed)
  | { readonly runs: false; readonly reason: string };

/** Speeds of the workers on some GPUs; null for a GPU on which the measurement failed. */
export interface DeviceSpeeds {
  /** Trained images per second of each GPU alone, in the order of the choice. */
  readonly alone: readonly (number | null)[];
  /** The sum of all of them at the same time; null where one failed. */
  readonly together: number | null;
  /** Shares of the time of training outside the graphs, 0 to 1. */
  readonly outsideGraphs: {
    /** Of each GPU alone. */
    readonly alone: readonly (number | null)[];
    /** Of each GPU while all compute. Then the workers also share the processors. */
    readonly together: readonly (number | null)[];
  };
  /** Why measurements failed, each reason once for a GPU. */
  readonly failures: readonly string[];
}

/** What doctor finds of the GPUs. */
export interface DevicesFinding extends FoundDevices {
  /** Of each device: why TensorFlow for GPUs cannot use it; null where it can, as far as the driver says. */
  readonly obstacles: readonly (string | null)[];
  /** What `auto`, or the run's engine, takes here, and why. */
  readonly choice: string;
  /** Null where no GPU computes. */
  readonly speeds: DeviceSpeeds | null;
}

/**
 * Examines the GPUs, and measures those on which the engine would compute: each alone, then all at the same time.
 * @param measure the speed of a worker on one GPU
 */
export async function examineDevices(
  wanted: 'auto' | EngineName,
  machine: MachineEngines,
  measure: (device: GpuDevice) => Promise<DeviceMeasurement>,
): Promise<DevicesFinding> {
  const { devices, note } = machine.found;
  const choice = chooseEngine(wanted, machine);
  return {
    devices,
    note,
    obstacles: devices.map(unfit),
    choice: choice.sentence,
    speeds: choice.devices.length === 0 ? null : await speedsOf(choice.devices, measure),
  };
}

async function speedsOf(
  devices: readonly GpuDevice[],
  measure: (device: GpuDevice) => Promise<DeviceMeasurement>,
): Promise<DeviceSpeeds> {
  const alone: DeviceMeasurement[] = [];
  for (const device of devices) alone.push(await measure(device));
  const atOnce = devices.length === 1 ? alone : await Promise.all(devices.map(measure));
  return {
    alone: alone.map(rateOf),
    together: atOnce
      .map(rateOf)
      .reduce((sum, rate) => (sum === null || rate === null ? null : sum + rate), 0),
    outsideGraphs: { alone: alone.map(shareOf), together: atOnce.map(shareOf) },
    failures: devices.flatMap((device, place) => {
      const failed = [alone[place]!, atOnce[place]!].flatMap((each) => (each.runs ? [] : [each.reason]));
      return [...new Set(failed)].map((reason) => `GPU ${device.index} was not measured: ${reason}`);
    }),
  };
}

const rateOf = (found: DeviceMeasurement) => (found.runs ? found.trainedImagesPerSecond : null);
const shareOf = (found: DeviceMeasurement) => (found.runs ? found.outsideGraphs : null);

/** The table of the GPUs, whether TensorFlow's libraries fit their driver, and the choice. */
export function devicesReport({ devices, note, obstacles, choice, speeds }: DevicesFinding): string {
  const notes = devices.length > 0 && note !== null ? [`${note}.\n`] : [];
  const chosen = `Chosen: ${choice}.\n`;
  if (devices.length === 0) return chosen;
  const { version, cuda, leastDriver } = tensorflowForGpus;
  const fits = obstacles.map((obstacle) =>
    obstacle === null
      ? `its driver fits TensorFlow ${version} (CUDA ${cuda}, driver ${leastDriver} or newer)`
      : obstacle,
  );
  const rates =
    speeds === null
      ? []
      : [
          `Trained images/s of each GPU alone: ${speeds.alone.map(shownRate).join(', ')}; all at once: ${shownRate(speeds.together)}.\n`,
          `Share of the time outside the graphs of each GPU alone: ${shownShares(speeds.outsideGraphs.alone)}; all at once: ${shownShares(speeds.outsideGraphs.together)}.\n`,
          ...speeds.failures.map((sentence) => `${sentence}.\n`),
        ];
  return [
    formatTable(columns, devices.map(rowOf)),
    '\n',
    ...[...new Set(fits)].map((sentence) => {
      const same = devices.filter((_device, place) => fits[place] === sentence).map(({ index }) => index);
      // Slices of one GPU have its number.
      return `GPU ${[...new Set(same)].join(', ')}: ${sentence}.\n`;
    }),
    ...notes,
    ...rates,
    chosen,
  ].join('');
}

const columns = ['GPU', 'memory GiB', 'driver', 'compute', 'name', 'UUID'].map((title) => ({
  title,
  isNumber: ['GPU', 'memory GiB'].includes(title),
}));

function rowOf(device: GpuDevice): string[] {
  const { index, memoryBytes, driverVersion, computeCapability, uuid } = device;
  const memory = memoryBytes === null ? '-' : (memoryBytes / 2 ** 30).toFixed(1);
  return [`${index}`, memory, driverVersion ?? '-', computeCapability ?? '-', modelOf(device), uuid ?? '-'];
}

function shownRate(rate: number | null): string {
  return rate === null ? 'failed' : rate.toFixed(1);
}

function shownShares(shares: readonly (number | null)[]): string {
  return shares.map((share) => (share === null ? 'failed' : shownShare(share))).join(', ');
}

/** A share of 0 to 1 as a percentage. */
export function shownShare(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
