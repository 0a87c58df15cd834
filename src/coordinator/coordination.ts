import type { Clock } from '../clock.js';
import type { Console } from '../console/console.js';
import type { Dataset } from '../data/dataset.js';
import { pictureListOf } from '../data/picture-list.js';
import type { TripletSampler } from '../data/sampler.js';
import type { DiskOf } from '../disk/disk.js';
import { Ledger } from '../ledger/ledger.js';
import type { ModelLayout } from '../model/layout.js';
import type { ResumeMode, RunDirectory } from '../run/run-directory.js';
import type { TrainingRun } from '../run/training-run.js';
import { version } from '../run/version.js';
import { runSampler } from '../schedule/run-sampler.js';
import type { Fleet, FleetOptions } from './admission/fleet.js';
import { type RestoredRun, RunCheckpoints, type RunOrigin } from './checkpoints/run-checkpoints.js';
import { Closing } from './closing.js';
import { CoordinatorError } from './error.js';
import { runStep } from './exchange/exchange-step.js';
import { Participants } from './exchange/participants.js';
import type { RangeConnections } from './exchange/range-connections.js';
import { WeightsDistribution } from './exchange/weights-distribution.js';
import type { Interruption } from './interruption.js';
import type { Lane } from './lane/lane.js';
import type { Leading } from './leadership/lead.js';
import { RunControl } from './leadership/run-control.js';
import type { Monitoring, MonitoringOptions } from './monitoring/monitoring.js';
import { endingEvent, finishOf, isInterrupted, type Phase } from './phase.js';
import { firstState } from './training/first-state.js';
import { describeResult, type RunResult, readResult } from './training/result.js';
import type { RunState } from './training/run-state.js';
import { TrainingLoop } from './training/training-loop.js';

export interface CoordinationOptions {
  readonly run: TrainingRun;
  readonly resume: ResumeMode;
  readonly dataset: Dataset;
  readonly directory: RunDirectory;
  readonly layout: ModelLayout;
  readonly interruption: Interruption;
  readonly leading: Leading;
  readonly console: Console;
  readonly clock: Clock;
  /** Numbers from 0 to 1, less than 1, that no worker can know. */
  readonly random: () => number;
  /** Computes on the weights; closed here. */
  readonly lane: Lane;
  /** File operations of checkpoints and ledger; for simulations. */
  readonly diskOf?: DiskOf;
  /** Creates the error of an interrupted run from the name of its checkpoint. */
  readonly interrupted: (checkpoint: string | null) => CoordinatorError;
  readonly openFleet: (options: FleetPart) => FleetOfRun;
  readonly openMonitoring: (options: MonitoringPart) => Promise<MonitoringOfRun>;
  /** Opens the run's control to other processes. @returns how to close it */
  readonly openControl: (control: RunControl) => Promise<{ close(): Promise<void> }>;
}

/** Options of the workers that depend on the run. The other options depend on the machine. */
export type FleetPart = Pick<FleetOptions, 'admission' | 'onIdentity' | 'onExhausted'>;
export type FleetOfRun = Pick<Fleet, 'pool' | 'open' | 'close' | 'size' | 'traffic'> & {
  /** Null carries everything over the workers' own streams. */
  readonly connections: RangeConnections | null;
};
/** Options of monitoring that depend on the run. */
export type MonitoringPart = Pick<MonitoringOptions, 'state' | 'restoredFrom' | 'stepsPerEpoch'> & {
  readonly fleet: FleetOfRun;
};
export type MonitoringOfRun = Pick<Monitoring, 'notify' | 'describe' | 'view' | 'attach' | 'close'>;

/** The outcome of a finished run. */
export interface Outcome {
  /** For a run that had finished earlier, the stored result. */
  readonly result: RunResult;
  /** Whether an earlier process had finished the run. */
  readonly hadFinished: boolean;
}

/** Executes a run in its directory, from its newest checkpoint or from the start. */
export class Coordination {
  private phase: Phase = { kind: 'opening' };
  private origin: RunOrigin = { identity: null, version };
  private device = 'unknown';
  /** Set when answers contradict each other after one of them was used. Nothing is saved any more then. */
  private contradiction: CoordinatorError | null = null;
  private state: RunState | null = null;
  private readonly closing = new Closing();

  constructor(private readonly options: CoordinationOptions) {}

  /**
   * @throws the error of the interruption, after a durable checkpoint, and what bad input throws
   */
  async run(): Promise<Outcome> {
    try {
      this.closing.add(() => this.options.lane.close());
      return await this.carryOut();
    } catch (cause) {
      if (this.phase.kind === 'interrupted') throw cause;
      const error = this.replacementOr(cause);
      this.enter({ kind: 'failed', error });
      throw error;
    } finally {
      await this.closing.close();
    }
  }

  /**
   * The error of a coordinator that was replaced or whose run directory is gone, else `cause`. Such a coordinator may
   * fail of something else first, such as files that its successor has removed, or work that waits for workers that are
   * gone. The run has not failed then.
   */
  private replacementOr(cause: unknown): unknown {
    try {
      this.options.leading.leadership.check();
      return cause;
    } catch (error) {
      return error instanceof CoordinatorError ? error : cause;
    }
  }

  /** Changes the phase. Publishes the event of a phase that ends the run. */
  private enter(phase: Phase): void {
    this.phase = phase;
    const event = endingEvent(phase);
    if (event && this.state) this.options.leading.events.publish(this.state.position, event);
  }

  private async carryOut(): Promise<Outcome> {
    const { run, resume, dataset, directory, layout, interruption, leading, console, clock, lane } =
      this.options;
    const { log } = console;
    const { leadership, events } = leading;
    const { term } = leadership;
    const sampler = this.openSampler();
    const checkpoints = new RunCheckpoints({
      run,
      directory,
      dataset,
      layout,
      term,
      fence: leadership,
      log,
      clock,
      lane,
      ...(this.options.diskOf ? { diskOf: this.options.diskOf } : {}),
    });
    const restored =
      resume === 'new' ? null : await interruption.during(checkpoints.restore(directory.ledgerFiles(term)));
    const state = restored?.state ?? (await interruption.during(firstState(run.spec, layout, dataset, log)));
    this.state = state;
    const finished = state.position.iteration === run.spec.schedule.iterations && readResult(directory);
    if (finished) {
      log.info('the run had finished', { run: run.metadata.name });
      return { result: finished, hadFinished: true };
    }
    if (restored) this.sayWhere(restored);
    interruption.check();
    this.origin = restored?.origin ?? { identity: null, version };
    leadership.check();
    const ledger = await Ledger.open(
      directory.ledgerFileOf(term),
      directory.ledgerFiles(term),
      checkpoints.ledgerHeader,
      restored?.ledgerBeginning ?? null,
      this.options.diskOf,
    );
    this.closing.add(() => ledger.close());
    const fleet = this.options.openFleet({
      admission: {
        run,
        term,
        datasetFingerprint: dataset.fingerprint,
        classCount: dataset.classNames.length,
        ...this.origin,
      },
      onIdentity: (identity, device) => {
        this.origin = { ...this.origin, identity: this.origin.identity ?? identity };
        this.device = device;
      },
      onExhausted: (error) => interruption.interrupt(error),
    });
    const monitoring = await this.options.openMonitoring({
      fleet,
      state,
      restoredFrom: restored,
      stepsPerEpoch: sampler.batches(),
    });
    this.closing.add(() => monitoring.close());
    this.closing.add(() => {
      return fleet.close(finishOf(this.phase));
    });
    const control = this.controlOf(state, checkpoints, ledger, fleet, monitoring);
    monitoring.attach(control);
    const service = await this.options.openControl(control);
    this.closing.add(() => service.close());
    await fleet.open();
    directory.writePictures(pictureListOf(dataset, run.spec.dataset.path));
    directory.writeRunFile(run);
    events.publish(state.position, restored ? { type: 'run.resumed' } : { type: 'run.started' });
    this.enter({ kind: 'training' });
    const participants = new Participants(
      fleet.pool,
      run.spec.operation.exchange === 'auto',
      fleet.connections,
    );
    const distribution = new WeightsDistribution(participants);
    const isCompared = () => this.options.random() < run.spec.operation.verification.rate;
    const exchange = { participants, distribution, isCompared };
    const loop = new TrainingLoop({
      spec: run.spec,
      term,
      dataset,
      sampler,
      layout,
      pool: fleet.pool,
      state,
      notify: monitoring.notify,
      ledger,
      signal: interruption.signal,
      clock,
      lane,
      runStep: (step, surroundings) => runStep(exchange, step, surroundings),
      distribute: (weights) => distribution.distribute(weights),
      onLateContradiction: (error) => {
        this.contradiction ??= error;
        interruption.interrupt(error);
      },
      beforeFinishing: (globalStep) => checkpoints.beforeFinishing(globalStep),
      checkpointIsDue: (globalStep) => checkpoints.isDue(globalStep),
      beforeStep: () => control.beforeStep(),
      checkpoint: () => this.save(state, checkpoints, ledger, monitoring),
    });
    try {
      await loop.run();
    } catch (error) {
      if (error !== interruption.error) throw error;
      leadership.check();
      const wasAsked = isInterrupted(error);
      // A run that failed before its first step has nothing to save.
      if (!wasAsked && state.position.globalStep === 0) throw error;
      await this.save(state, checkpoints, ledger, monitoring);
      const checkpoint = await checkpoints.settled();
      if (!wasAsked) throw error;
      this.enter({ kind: 'interrupted', checkpoint });
      throw this.options.interrupted(checkpoint);
    }
    await checkpoints.settled();
    const result = describeResult(run, dataset, state, term, {
      identity: this.origin.identity!,
      device: this.device,
      workers: fleet.size,
      traffic: fleet.traffic,
    });
    leadership.check();
    this.throwContradiction();
    directory.writeResult(result);
    this.enter({ kind: 'finished', result });
    return { result, hadFinished: false };
  }

  private save(
    state: RunState,
    checkpoints: RunCheckpoints,
    ledger: Ledger,
    { notify }: MonitoringOfRun,
  ): Promise<void> {
    this.throwContradiction();
    return checkpoints.saveInBackground(state, this.origin, ledger, notify);
  }

  private throwContradiction(): void {
    if (this.contradiction) throw this.contradiction;
  }

  private controlOf(
    state: RunState,
    checkpoints: RunCheckpoints,
    ledger: Ledger,
    fleet: FleetOfRun,
    monitoring: MonitoringOfRun,
  ): RunControl {
    const { run, interruption, leading, interrupted } = this.options;
    return new RunControl({
      run: run.metadata.name,
      term: leading.leadership.term,
      describe: () => monitoring.describe(),
      view: () => monitoring.view(),
      checkpoint: () => {
        this.throwContradiction();
        return checkpoints.saveAndWait(state, this.origin, ledger, monitoring.notify);
      },
      stop: () => interruption.ask(interrupted(null)),
      drain: (worker) => fleet.pool.drain(worker),
      onPaused: () => monitoring.notify({ type: 'paused', isPaused: true }),
      onContinued: () => monitoring.notify({ type: 'paused', isPaused: false }),
      signal: interruption.signal,
    });
  }

  private sayWhere({ name, state }: RestoredRun): void {
    const { iteration, epoch, step } = state.position;
    this.options.console.log.info('resuming', {
      checkpoint: name,
      iteration: iteration + 1,
      epoch: epoch + 1,
      step: step + 1,
    });
  }

  private openSampler(): TripletSampler {
    const { run, dataset } = this.options;
    const { classNames } = dataset;
    const sampler = runSampler(run.spec, dataset);
    if (sampler.loneClasses.length > 0 && run.spec.schedule.epochs > 0) {
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
}
