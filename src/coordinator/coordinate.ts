import { systemClock } from '../clock.js';
import type { Console } from '../console/console.js';
import { onInterrupt } from '../console/interrupt.js';
import { type Dataset, loadDataset } from '../data/dataset.js';
import { KeyedRandom } from '../data/random.js';
import { TripletSampler } from '../data/sampler.js';
import { FcaenetError } from '../errors.js';
import { Ledger } from '../ledger/ledger.js';
import { initialWeights } from '../model/initial.js';
import { describeModel, type ModelLayout } from '../model/layout.js';
import { loadBackboneWeights } from '../model/weights/weights-file.js';
import { checkDatasetFit } from '../run/dataset-fit.js';
import { type ResumeMode, RunDirectory } from '../run/run-directory.js';
import type { TrainingRun } from '../run/training-run.js';
import type { RunEventBody } from '../transport/events/run-event.js';
import { leaveRoomForMessages } from '../transport/garbage.js';
import { readTlsFiles } from '../transport/tls-files.js';
import { Fleet } from './admission/fleet.js';
import type { Admission } from './admission/hello.js';
import type { Protection } from './admission/server.js';
import { RunCheckpoints } from './checkpoints/run-checkpoints.js';
import { CoordinatorError } from './error.js';
import { Interruption } from './interruption.js';
import { openControl } from './leadership/control-service.js';
import { type Leading, lead } from './leadership/lead.js';
import { RunControl } from './leadership/run-control.js';
import { Monitoring } from './monitoring/monitoring.js';
import { describeResult, type RunResult } from './training/result.js';
import { RunState } from './training/run-state.js';
import { TrainingLoop } from './training/training-loop.js';

export interface CoordinateOptions {
  readonly run: TrainingRun;
  readonly resume: ResumeMode;
  readonly console: Console;
  /** Worker processes to start on this machine; 0 waits for workers from elsewhere. */
  readonly localWorkers: number;
  /** What workers must show besides their certificate; null asks for none. */
  readonly joinToken: string | null;
  /** The command line that goes on with the run after an interruption. */
  readonly resumeCommand: string;
}

/**
 * Carries out a run, from its run file to `result.json`. When interrupted it writes a checkpoint first, in whatever
 * phase it is.
 * @returns the result and the file it is in; of a run that had finished before, the result it had then
 * @throws CoordinatorError COORDINATOR_INTERRUPTED (exit code 75) after a durable checkpoint, and what bad input throws
 */
export async function coordinate(options: CoordinateOptions): Promise<{ result: RunResult; file: string }> {
  const { run, console } = options;
  const { log } = console;
  const { tls: tlsFiles } = run.spec.operation;
  const protection = {
    tls: tlsFiles && readTlsFiles(tlsFiles),
    joinToken: options.joinToken,
  };
  const interruption = new Interruption();
  const restoreSignals = onInterrupt((signal) => {
    log.info('stopping', { signal });
    interruption.interrupt(interrupted(options, null));
  });
  try {
    const dataset = await interruption.during(loadDataset(run.spec.dataset.path));
    checkDatasetFit(run, { format: dataset.format, trainCount: dataset.train.labels.length });
    interruption.check();
    leaveRoomForMessages();
    const directory = RunDirectory.open(run, options.resume);
    try {
      const onDeposed = interruption.interrupt.bind(interruption);
      const result = await lead({ run, directory, log, onDeposed }, (leading) =>
        new Coordination(options, dataset, directory, interruption, leading, protection).run(),
      );
      return { result, file: directory.resultFile };
    } finally {
      directory.release();
    }
  } finally {
    restoreSignals();
  }
}

/** A run in its directory, with its dataset at hand. */
class Coordination {
  private readonly layout: ModelLayout;
  private device = 'unknown';

  constructor(
    private readonly options: CoordinateOptions,
    private readonly dataset: Dataset,
    private readonly directory: RunDirectory,
    private readonly interruption: Interruption,
    private readonly leading: Leading,
    private readonly protection: Protection,
  ) {
    const { spec } = options.run;
    this.layout = describeModel({ ...spec.model, bits: spec.bits });
  }

  async run(): Promise<RunResult> {
    const { dataset, directory, interruption, layout } = this;
    const { run, console, localWorkers } = this.options;
    const { log } = console;
    const { leadership, events, link } = this.leading;
    const { term } = leadership;
    const sampler = this.openSampler();
    const checkpoints = new RunCheckpoints({ run, directory, dataset, layout, term, fence: leadership, log });
    const restored = this.options.resume === 'new' ? null : await interruption.during(checkpoints.restore());
    if (restored) {
      const { iteration, epoch, step } = restored.state.position;
      log.info('resuming', {
        checkpoint: restored.name,
        iteration: iteration + 1,
        epoch: epoch + 1,
        step: step + 1,
      });
    }
    const state = restored?.state ?? (await interruption.during(this.begin()));
    const finished = state.position.iteration === run.spec.schedule.iterations && directory.readResult();
    if (finished) {
      log.info('the run had finished', { run: run.metadata.name });
      return finished as RunResult;
    }
    interruption.check();
    const admission: Admission = {
      run,
      term,
      datasetFingerprint: dataset.fingerprint,
      classCount: dataset.classNames.length,
      identity: restored?.identity ?? null,
    };
    let { identity } = admission;
    let contradiction: CoordinatorError | null = null;
    /** Keeps a result that nobody could decide on from becoming durable. */
    const throwContradiction = () => {
      if (contradiction) throw contradiction;
    };
    leadership.check();
    const ledger = await Ledger.open(
      directory.ledgerFileOf(term),
      directory.ledgerFiles(term),
      checkpoints.ledgerHeader,
      restored?.ledger ?? null,
    );
    const fleet = new Fleet({
      admission,
      localWorkers,
      protection: this.protection,
      minWorkers: run.spec.operation.membership.minWorkers,
      log,
      onIdentity: (ofWorker, device) => {
        identity ??= ofWorker;
        this.device = device;
      },
      onExhausted: (error) => interruption.interrupt(error),
    });
    const monitoring = await Monitoring.open({
      run,
      console,
      directory,
      fleet,
      state,
      restoredFrom: restored?.created ?? null,
      stepsPerEpoch: sampler.batches(),
      events,
      link,
      term,
    });
    let ending = 'it failed';
    const publish = (body: RunEventBody) => events.publish(state, body);
    const save = () => {
      throwContradiction();
      return checkpoints.saveInBackground(state, identity, ledger, monitoring.checkpoints);
    };
    const control = new RunControl({
      run: run.metadata.name,
      term,
      describe: () => monitoring.describe(),
      checkpoint: () => checkpoints.saveAndWait(state, identity, ledger, monitoring.checkpoints),
      stop: () => interruption.interrupt(interrupted(this.options, null)),
      drain: (worker) => fleet.pool.drain(worker),
      onPaused: () => monitoring.paused(true),
      onContinued: () => monitoring.paused(false),
      signal: interruption.signal,
    });
    const service = await openControl({ run: run.metadata.name, control, directory, leadership, link, log });
    publish(restored ? { type: 'run.resumed' } : { type: 'run.started' });
    try {
      await fleet.open();
      const loop = new TrainingLoop({
        spec: run.spec,
        term,
        dataset,
        sampler,
        layout,
        pool: fleet.pool,
        state,
        observer: monitoring.observer,
        ledger,
        signal: interruption.signal,
        clock: systemClock,
        onLateContradiction: (error) => {
          contradiction ??= error;
          interruption.interrupt(error);
        },
        beforeFinishing: (globalStep) => checkpoints.beforeFinishing(globalStep),
        checkpointIsDue: (globalStep) => checkpoints.isDue(globalStep),
        beforeStep: () => control.beforeStep(),
        checkpoint: save,
      });
      try {
        await loop.run();
      } catch (error) {
        if (error !== interruption.error) throw error;
        leadership.check();
        await save();
        const name = await checkpoints.settled();
        if (!(error instanceof CoordinatorError && error.code === 'COORDINATOR_INTERRUPTED')) throw error;
        ending = 'it was interrupted';
        publish({ type: 'run.interrupted', checkpoint: name });
        throw interrupted(this.options, name);
      }
      await checkpoints.settled();
      const result = describeResult(run, dataset, state, term, {
        identity: identity!,
        device: this.device,
        workers: fleet.size,
        traffic: fleet.server.traffic,
      });
      leadership.check();
      throwContradiction();
      directory.writeResult(result);
      const { mAP, weightsSha256, codesSha256 } = result;
      publish({ type: 'run.finished', mAP, weightsSha256, codesSha256 });
      ending = 'it finished';
      return result;
    } catch (error) {
      if (ending === 'it failed') publish({ type: 'run.failed', ...describeFailure(error) });
      throw error;
    } finally {
      await service.close();
      await fleet.close(ending, ending !== 'it finished');
      await monitoring.close();
      await ledger.close();
    }
  }

  private openSampler(): TripletSampler {
    const { spec } = this.options.run;
    const { labels } = this.dataset.train;
    const classNames = this.dataset.classNames;
    const sampler = new TripletSampler({
      random: new KeyedRandom(spec.seed),
      labels,
      classCount: classNames.length,
      sampleSize: spec.dataset.sampleSize,
      batchSize: spec.schedule.batchSize,
    });
    if (sampler.loneClasses.length > 0) {
      this.options.console.log.warn(
        'classes with one training image: an anchor of theirs is its own positive',
        {
          classes: sampler.loneClasses.slice(0, 20).map((label) => classNames[label]),
          count: sampler.loneClasses.length,
        },
      );
    }
    return sampler;
  }

  /** The state of a run that has not begun: keyed initial weights, or a pretrained backbone below a new hash layer. */
  private async begin(): Promise<RunState> {
    const { spec } = this.options.run;
    const weights = initialWeights(this.layout, new KeyedRandom(spec.seed));
    if (spec.model.weights === null) return RunState.initial(spec, weights, this.dataset.train.labels.length);
    const backbone = await loadBackboneWeights(this.layout, spec.model.weights, weights);
    this.options.console.log.info('backbone weights', { path: spec.model.weights, sha256: backbone.sha256 });
    return RunState.initial(spec, backbone, this.dataset.train.labels.length);
  }
}

function interrupted({ run, resumeCommand }: CoordinateOptions, checkpoint: string | null): CoordinatorError {
  const saved = checkpoint === null ? 'it was only starting' : `checkpoint ${checkpoint} is written`;
  return new CoordinatorError(
    'COORDINATOR_INTERRUPTED',
    `run ${run.metadata.name} was interrupted; ${saved}, and \`${resumeCommand}\` goes on`,
  );
}

function describeFailure(error: unknown): { code: string; reason: string } {
  return {
    code: error instanceof FcaenetError ? error.code : 'UNEXPECTED',
    reason: error instanceof Error ? error.message : String(error),
  };
}
