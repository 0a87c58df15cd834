import type { Log } from '../console/log.js';
import { chooseEngine, type EngineChoice } from '../engine/choice.js';
import { type EngineSearch, machineEngines } from '../engine/installed.js';
import type { FoundDevices, GpuDevice } from '../machine/devices/device.js';
import { findDevices } from '../machine/devices/find.js';
import { allowedProcessors, shareProcessors } from '../machine/devices/processor-shares.js';
import { selectDevices } from '../machine/devices/select.js';
import type { Operation, TrainingRun } from '../run/training-run.js';
import { localWorkerCount } from '../schedule/worker-count.js';

/** Where one worker process computes. */
export interface WorkerPlace {
  /** Its own GPU; null for the processors. */
  readonly device: GpuDevice | null;
  /** The processors that it is bound to; null for all that its parent may use. */
  readonly processors: readonly number[] | null;
  /**
   * What it is told of the machine's GPUs instead of looking for them: its own, or why there is none. Null lets it look.
   */
  readonly found: FoundDevices | null;
  /** Whether CUDA's programs are told that there is no GPU. */
  readonly hidesGpus: boolean;
}

/** The worker processes of this machine, and why they are these. */
export interface WorkerPlan {
  readonly places: readonly WorkerPlace[];
  readonly sentence: string;
}

/**
 * Plans the local workers of a run: one for each GPU where GPUs compute, each with its share of the processors, those
 * near its GPU where the system says which are; else one for each processor. At most one per microbatch. More workers
 * than GPUs, by the run file's number, share them in turn.
 * @throws DeviceError DEVICE_NONE, DEVICE_UNKNOWN for devices by name that are not there
 */
export async function planWorkers(run: TrainingRun, search: Partial<EngineSearch> = {}): Promise<WorkerPlan> {
  const { workers, devices: wanted } = run.spec.operation;
  const { devices, sentence, place } = await planDevices(run, wanted, search);
  if (devices.length === 0) {
    const count = localWorkerCount(run);
    return { places: Array.from({ length: count }, () => place), sentence };
  }
  const { microbatches } = run.spec.schedule;
  const count = workers === 'auto' ? Math.min(devices.length, microbatches) : workers;
  const used = Array.from({ length: count }, (_, index) => devices[index % devices.length]!);
  const idle = devices.length - count;
  return {
    places: placesOn(used),
    sentence:
      idle > 0 && workers === 'auto'
        ? `${sentence}; ${idle} of ${devices.length} get no worker, because a batch has ${microbatches} microbatches`
        : sentence,
  };
}

/** The places of `planWorkers`, with their reason in the log. Throws its errors. */
export async function chooseWorkerPlaces(run: TrainingRun, log: Log): Promise<readonly WorkerPlace[]> {
  const { places, sentence } = await planWorkers(run);
  log.info('devices chosen', { choice: sentence, localWorkers: places.length });
  return places;
}

/** One worker for each device, with its share of the processors that this process may use. */
export function placesOn(devices: readonly GpuDevice[], root = '/'): readonly WorkerPlace[] {
  const allowed = allowedProcessors(root);
  const shares =
    allowed &&
    shareProcessors(
      allowed,
      devices.map(({ nearProcessors }) => nearProcessors),
    );
  return devices.map((device, index) => ({
    device,
    processors: shares?.[index] ?? null,
    found: { devices: [device], note: null },
    hidesGpus: false,
  }));
}

interface PlannedDevices {
  readonly devices: readonly GpuDevice[];
  readonly sentence: string;
  /** What a worker gets where there are no devices. */
  readonly place: WorkerPlace;
}

async function planDevices(
  { spec }: TrainingRun,
  wanted: Operation['devices'],
  search: Partial<EngineSearch>,
): Promise<PlannedDevices> {
  const { name } = spec.engine;
  const look = search.devices ?? findDevices;
  if (wanted === 'none') {
    const found = { devices: [], note: 'spec.operation.devices is none' };
    return {
      devices: [],
      sentence: 'the processors compute: spec.operation.devices is none',
      place: onProcessors(found, true),
    };
  }
  if (wanted === 'auto') {
    const machine = await machineEngines(name, { ...search, devices: look });
    const { devices, sentence, obstacle } = chooseEngine(name, machine);
    const found = obstacle === null ? null : { devices: [], note: obstacle };
    const hides = name === 'auto' && machine.found.devices.length > 0;
    return { devices, sentence, place: onProcessors(found, hides) };
  }
  const found = await look();
  const devices = selectDevices(found, wanted);
  const choice = chooseEngine(
    name,
    await machineEngines(name, { ...search, devices: async () => ({ ...found, devices }) }),
  );
  return { devices, sentence: sentenceByName(choice, devices.length), place: onProcessors(null, false) };
}

function onProcessors(found: FoundDevices | null, hidesGpus: boolean): WorkerPlace {
  return { device: null, processors: null, found, hidesGpus };
}

/** Devices by name are given to workers whatever the engine does with them, and it is said where that is nothing. */
function sentenceByName({ sentence, devices }: EngineChoice, count: number): string {
  if (devices.length > 0) return sentence;
  return `${sentence}; each worker still has one of the ${count} GPUs that spec.operation.devices names, and does not compute on it`;
}
