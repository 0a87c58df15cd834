import { openConsole } from '../console/console.js';
import { describeDevice } from '../machine/devices/device.js';
import { findDevices } from '../machine/devices/find.js';
import { type NamedDevices, selectDevices } from '../machine/devices/select.js';
import { filesPerLocalWorker, requireOpenFiles, startingFiles } from '../machine/open-files.js';
import { placesOn, planWorkers, type WorkerPlace } from '../processes/plan.js';
import type { TrainingRun } from '../run/training-run.js';
import { type WorkOptions, work } from '../worker/command.js';
import { HubRun } from './hub-run.js';

/**
 * What a worker with several processes computes on: GPUs, so many processes on the processors, or what the run file says
 * of the coordinator's own machine.
 */
export type HubDevices = { readonly devices: NamedDevices } | { readonly processes: number } | 'planned';

export type HubOptions = Omit<WorkOptions, 'hidesGpus'> & { readonly on: HubDevices };

/**
 * `fcaenet worker --devices` and `--processes`: one process for each GPU, with its share of the processors, or several
 * processes on the processors. All of them are one worker toward the run. Ends as `work` does.
 * @throws DeviceError DEVICE_NONE, DEVICE_UNKNOWN; WorkerError WORKER_DEVICES when no process is left; the errors of
 * `work`; MachineError MACHINE_OPEN_FILES
 */
export async function workOnDevices({ on, ...options }: HubOptions): Promise<void> {
  const { log } = openConsole('beside');
  const given = on === 'planned' ? null : await placesFor(on, log);
  await work(
    { ...options, hidesGpus: false },
    async (ingredients) => HubRun.prepare(ingredients, given ?? (await plannedPlaces(ingredients.run))),
    log,
  );
}

async function placesFor(
  on: Exclude<HubDevices, 'planned'>,
  log: ReturnType<typeof openConsole>['log'],
): Promise<readonly WorkerPlace[]> {
  const places = 'processes' in on ? onProcessors(on.processes) : await onGpus(on.devices, log);
  requireFilesFor(places);
  return places;
}

/** What the run file says of the coordinator's own machine. */
async function plannedPlaces(run: TrainingRun): Promise<readonly WorkerPlace[]> {
  const { places } = await planWorkers(run);
  requireFilesFor(places);
  return places;
}

function requireFilesFor({ length }: readonly WorkerPlace[]): void {
  requireOpenFiles(startingFiles + filesPerLocalWorker * length, 'a worker of several processes');
}

function onProcessors(count: number): readonly WorkerPlace[] {
  const found = { devices: [], note: '--processes computes on the processors' };
  return Array.from({ length: count }, () => ({
    device: null,
    processors: null,
    found,
    hidesGpus: true,
  }));
}

async function onGpus(
  named: NamedDevices,
  log: ReturnType<typeof openConsole>['log'],
): Promise<readonly WorkerPlace[]> {
  const found = await findDevices();
  if (found.note !== null && found.devices.length > 0) log.warn('GPUs found', { note: found.note });
  const chosen = selectDevices(found, named);
  log.info('devices chosen', { devices: chosen.map(describeDevice) });
  return placesOn(chosen);
}
