import { chooseEngine } from '../engine/choice.js';
import { type EngineSearch, machineEngines } from '../engine/installed.js';
import type { GpuDevice } from '../machine/devices/device.js';
import type { EngineName } from '../run/training-run.js';
import type { TrainedRun } from './trained-run.js';

/**
 * The GPUs on which processes of this machine encode with a run's network; none where the processors compute.
 * @param engine other than the run's; undefined takes the run's
 */
export async function encodingDevices(
  { spec }: Pick<TrainedRun, 'spec'>,
  engine: 'auto' | EngineName | undefined,
  search: Partial<EngineSearch> = {},
): Promise<readonly GpuDevice[]> {
  const name = engine ?? spec.engine.name;
  return chooseEngine(name, await machineEngines(name, search)).devices;
}
