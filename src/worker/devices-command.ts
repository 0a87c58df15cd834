import { openConsole } from '../console/console.js';
import { onInterrupt } from '../console/interrupt.js';
import { ExitCode } from '../errors.js';
import { describeDevice } from '../machine/devices/device.js';
import { findDevices } from '../machine/devices/find.js';
import { type NamedDevices, selectDevices } from '../machine/devices/select.js';
import { placesOn } from '../processes/plan.js';
import { deviceRestartMs, type WorkerEnding, WorkerProcesses } from '../processes/worker-processes.js';
import { WorkerError } from './error.js';
import { type PeeringSettings, peeringFlags } from './peering-place.js';

export interface DeviceWorkOptions {
  readonly devices: NamedDevices;
  /** Arguments of each worker after `worker`, without its name and devices, and where it listens for others. */
  readonly flags: readonly string[];
  readonly peering: PeeringSettings;
  /** Beginning of the workers' names; undefined names them by their places. */
  readonly name: string | undefined;
  /** Whether who starts this process starts it again unless it says that the run is over. */
  readonly expectRestart: boolean;
}

/**
 * `fcaenet worker --devices`: one worker process for each GPU, each a member of the run, with its share of the
 * processors. A signal makes all of them leave the run. Ends when all have ended, with exit code 0 when one of them has
 * worked to the end of the run.
 * @throws DeviceError DEVICE_NONE, DEVICE_UNKNOWN; WorkerError WORKER_DEVICES when no worker came to the end of the
 * run; WORKER_LEFT (exit code 75) instead of exit code 0 on a signal, when its parent expects to restart it
 */
export async function workOnDevices({
  devices,
  flags,
  peering,
  name,
  expectRestart,
}: DeviceWorkOptions): Promise<void> {
  const { log } = openConsole('beside');
  const found = await findDevices();
  if (found.note !== null && found.devices.length > 0) log.warn('GPUs found', { note: found.note });
  const chosen = selectDevices(found, devices);
  let isLeaving = false;
  let processes: WorkerProcesses | null = null;
  const ended = new Promise<WorkerEnding>((resolve) => {
    log.info('devices chosen', { devices: chosen.map(describeDevice) });
    processes = new WorkerProcesses({
      places: placesOn(chosen),
      startOf: (place, index) => ({
        flags: [
          ...flags,
          ...peeringFlags(peering, index),
          '--name',
          name === undefined ? place : `${name}-${place}`,
        ],
        environment: {},
        descriptors: [],
        onEnd: () => {},
      }),
      output: 'inherit',
      restartMs: deviceRestartMs,
      log,
      onIdle: resolve,
    });
  });
  let left: () => void;
  const allLeft = new Promise<null>((resolve) => {
    left = () => resolve(null);
  });
  const restoreSignals = onInterrupt(() => {
    isLeaving = true;
    void processes!.stop(Number.POSITIVE_INFINITY).then(left);
  });
  try {
    const ending = await Promise.race([ended, allLeft]);
    if (ending !== null && !processes!.hasFinished) throw failed(ending);
    if (isLeaving && expectRestart) {
      throw new WorkerError(
        'WORKER_LEFT',
        'these workers were told to leave before the run was over; others may take their places',
      );
    }
  } finally {
    restoreSignals();
  }
}

function failed({ exitCode, how, sentence }: WorkerEnding): WorkerError {
  return new WorkerError(
    'WORKER_DEVICES',
    `no worker is left on any of the GPUs, expected at least one; the last one ended with: ${sentence || how}`,
    { exitCode: (exitCode ?? ExitCode.failed) as ExitCode },
  );
}
