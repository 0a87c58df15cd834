import { randomInt } from 'node:crypto';
import { systemClock } from '../clock.js';
import type { Console } from '../console/console.js';
import { onInterrupt } from '../console/interrupt.js';
import { lateProgress } from '../console/late-progress.js';
import { digestMemory } from '../data/content/digest-pictures.js';
import { type Dataset, loadDataset } from '../data/dataset.js';
import { coordinatorAddressSpace, requireAddressSpace } from '../machine/address-space.js';
import { collectGarbageLessOften } from '../machine/garbage-collection.js';
import { filesPerLocalWorker, requireOpenFiles, startingFiles } from '../machine/open-files.js';
import { describeRunModel } from '../model/layout.js';
import type { WorkerPlace } from '../processes/plan.js';
import { checkDatasetFit } from '../run/dataset-fit.js';
import { type ResumeMode, RunDirectory } from '../run/run-directory.js';
import type { TrainingRun } from '../run/training-run.js';
import type { Finish } from '../transport/generated/fcaenet/v1/Finish.js';
import { readTlsFiles } from '../transport/tls-files.js';
import { tellLateWorkers } from './admission/farewell.js';
import { Fleet } from './admission/fleet.js';
import { type Protection, requireProtection } from './admission/protection.js';
import { Coordination } from './coordination.js';
import { CoordinatorError } from './error.js';
import { Interruption } from './interruption.js';
import { openLane } from './lane/open-lane.js';
import { openControl } from './leadership/control-service.js';
import { type Leading, lead } from './leadership/lead.js';
import { Monitoring } from './monitoring/monitoring.js';
import { failedForGood, hasFailedForGood, isInterrupted } from './phase.js';
import type { RunResult } from './training/result.js';

/** Open files for each worker: its connection, a new one that replaces it, and two calls to it. */
const filesPerWorker = 4;

export interface CoordinateOptions {
  readonly run: TrainingRun;
  readonly resume: ResumeMode;
  readonly console: Console;
  /** Worker processes to start on this machine; none waits for workers from elsewhere. */
  readonly localWorkers: readonly WorkerPlace[];
  /** Whether they are one worker of the run, because others may join. */
  readonly localAsOne: boolean;
  /** The token that workers must send; null when they need none. */
  readonly joinToken: string | null;
  /** The command line that continues the run after an interruption. */
  readonly resumeCommand: string;
  /**
   * How long the coordinator stays after the end of the run, to tell connecting workers that it is over. Null waits
   * `shortFarewellSeconds` if the run had finished earlier, and not at all otherwise.
   */
  readonly farewellSeconds: number | null;
  /** Called when the run is asked to stop. It may finish or fail before it does. */
  readonly onAsked?: () => void;
}

/** Longer than the longest time between two connection attempts of a worker. */
const shortFarewellSeconds = 15;

/** The outcome of a finished run. */
export interface Carried {
  readonly result: RunResult;
  /** Path of the result. */
  readonly file: string;
  /** Tells workers that still connect that the run is over; see `farewellSeconds`. */
  farewell(): Promise<void>;
}

/**
 * Executes a run, from its run file to `result.json`. An interrupted run writes a checkpoint first.
 * @returns the result; for a run that had finished earlier, the stored result
 * @throws CoordinatorError COORDINATOR_INTERRUPTED (exit code 75) after a durable checkpoint, MachineError
 *   MACHINE_OPEN_FILES or MACHINE_ADDRESS_SPACE, and what bad input throws
 */
export async function coordinate(options: CoordinateOptions): Promise<Carried> {
  const { run, console, farewellSeconds } = options;
  const { log } = console;
  const { tls: tlsFiles, membership } = run.spec.operation;
  requireOpenFiles(
    startingFiles +
      filesPerLocalWorker * options.localWorkers.length +
      filesPerWorker * membership.maxWorkers,
    `a run of up to ${membership.maxWorkers} workers`,
  );
  requireAddressSpace(coordinatorAddressSpace, 'a coordinator');
  const protection = {
    tls: tlsFiles && readTlsFiles(tlsFiles),
    joinToken: options.joinToken,
  };
  requireProtection(run.spec.operation.listen, protection);
  const interruption = new Interruption(options.onAsked);
  const restoreSignals = onInterrupt((signal) => {
    log.info('stopping', { signal });
    interruption.ask(interrupted(options, null));
  });
  let term = 0;
  const tell = (finish: Finish, seconds: number) =>
    // After a signal the process ends without waiting for late workers.
    tellLateWorkers({
      run,
      protection,
      term,
      finish,
      seconds: isInterrupted(interruption.error) ? 0 : seconds,
      log,
    });
  try {
    const dataset = await interruption.during(datasetOf(run, console));
    checkDatasetFit(run, { format: dataset.format, trainCount: dataset.train.labels.length });
    interruption.check();
    collectGarbageLessOften();
    const directory = RunDirectory.open(run, options.resume);
    try {
      const onDeposed = interruption.interrupt.bind(interruption);
      const { result, hadFinished } = await lead(
        { run, directory, log, clock: systemClock, onDeposed },
        (leading) => {
          ({ term } = leading.leadership);
          return coordinationOf(options, { dataset, directory, interruption, leading, protection }).run();
        },
      );
      const seconds = farewellSeconds ?? (hadFinished ? shortFarewellSeconds : 0);
      return {
        result,
        file: directory.resultFile,
        farewell: () => tell({ reason: 'it has finished' }, seconds),
      };
    } catch (error) {
      directory.discardUnlessBegun();
      throw error;
    } finally {
      directory.release();
    }
  } catch (error) {
    if (hasFailedForGood(error)) {
      await tell(failedForGood(error), farewellSeconds ?? 0);
    }
    throw error;
  } finally {
    restoreSignals();
  }
}

/** Connects a run with this machine: its port, clock, console and metrics. */
function coordinationOf(
  options: CoordinateOptions,
  found: {
    readonly dataset: Dataset;
    readonly directory: RunDirectory;
    readonly interruption: Interruption;
    readonly leading: Leading;
    readonly protection: Protection;
  },
): Coordination {
  const { run, resume, console, localWorkers, localAsOne } = options;
  const { dataset, directory, interruption, leading, protection } = found;
  const { spec, metadata } = run;
  const { log } = console;
  const { leadership, events, link } = leading;
  const layout = describeRunModel(spec);
  let fleet: Fleet;
  return new Coordination({
    run,
    resume,
    dataset,
    directory,
    interruption,
    leading,
    console,
    layout,
    lane: openLane(layout.parameterCount, (error) => interruption.interrupt(error)),
    clock: systemClock,
    random: () => randomInt(2 ** 47) / 2 ** 47,
    interrupted: (checkpoint) => interrupted(options, checkpoint),
    openFleet: (part) => {
      const { minWorkers } = spec.operation.membership;
      fleet = new Fleet({ ...part, localWorkers, localAsOne, protection, minWorkers, log });
      return fleet;
    },
    openMonitoring: (part) =>
      Monitoring.open({
        ...part,
        run,
        console,
        directory,
        dataset,
        fleet,
        events,
        link,
        tls: protection.tls,
        term: leadership.term,
      }),
    openControl: (control) => openControl({ run: metadata.name, control, directory, leadership, link, log }),
  });
}

function datasetOf({ spec }: TrainingRun, { log, startTask }: Console): Promise<Dataset> {
  const reading = lateProgress((total) => startTask({ name: 'reading', total, unit: 'images' }));
  return loadDataset(spec.dataset.path, {
    memory: digestMemory(spec.operation.cache.directory, log),
    onProgress: (what, done, total) => what === 'reading' && reading(done, total),
  });
}

function interrupted({ run, resumeCommand }: CoordinateOptions, checkpoint: string | null): CoordinatorError {
  const saved = checkpoint === null ? 'it was only starting' : `checkpoint ${checkpoint} is written`;
  return new CoordinatorError(
    'COORDINATOR_INTERRUPTED',
    `run ${run.metadata.name} was interrupted; ${saved}, and \`${resumeCommand}\` goes on`,
  );
}
