import type { Log } from '../console/log.js';
import type { EngineName } from '../run/training-run.js';
import { type Encoder, LocalEncoder } from './encoder.js';
import { EncoderProcesses } from './encoder-processes.js';
import { encodingDevices } from './encoding-devices.js';
import { TrainedNetwork } from './trained-network.js';
import type { TrainedRun } from './trained-run.js';

/** Where a network computes. */
export interface EngineChoiceOptions {
  /** Processes that encode; 1 encodes in this one. */
  readonly workers: number;
  /** Undefined takes the run's. */
  readonly engine: 'auto' | EngineName | undefined;
}

/**
 * Opens an encoder of a run's network: in this process for one worker, else in processes of their own. Warns of
 * checkpoints that cannot be used, and of an engine other than the run's.
 * @returns the encoder, and the engine's name, version and instruction set
 * @throws EngineError, and the errors of a process that cannot load the network
 */
export async function openEncoder(
  run: TrainedRun,
  { workers, engine }: EngineChoiceOptions,
  log: Log,
): Promise<{ encoder: Encoder; engine: string }> {
  sayRejected(run, log);
  const opened = workers === 1 ? await here(run, engine) : await inProcesses(run, workers, engine);
  log.info('encoder ready', { checkpoint: run.checkpoint, workers, engine: opened.engine });
  sayDifferences(opened.differences, log);
  return opened;
}

/** Warns of newer checkpoints that cannot be used. */
export function sayRejected({ rejected }: TrainedRun, log: Log): void {
  for (const { name, reason } of rejected) log.warn('checkpoint cannot be used', { name, reason });
}

/** Warns of an engine other than the run's. */
export function sayDifferences(differences: readonly string[], log: Log): void {
  if (differences.length === 0) return;
  log.warn('this engine is not the one that trained the network; single bits of codes may differ', {
    differences: differences.join('; '),
  });
}

async function here(run: TrainedRun, engine: EngineChoiceOptions['engine']) {
  const trained = await TrainedNetwork.load(run, engine);
  const { engineName, differences } = trained;
  return { encoder: new LocalEncoder(trained), engine: engineName, differences };
}

async function inProcesses(run: TrainedRun, processes: number, engine: EngineChoiceOptions['engine']) {
  const { directory: runDirectory, checkpoint } = run;
  const devices = await encodingDevices(run, engine);
  return EncoderProcesses.open({
    ...{ runDirectory, checkpoint, engine: engine ?? null, processes, mostPixels: null },
    ...{ timeoutMs: null, restarts: false, devices },
  });
}
