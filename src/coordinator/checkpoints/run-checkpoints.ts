import { CheckpointError } from '../../checkpoint/error.js';
import type { CheckpointState } from '../../checkpoint/state.js';
import { type AbandonedWrite, CheckpointStore, type Fence, type StepBounds } from '../../checkpoint/store.js';
import { type Clock, secondsOf } from '../../clock.js';
import type { Log } from '../../console/log.js';
import type { Dataset } from '../../data/dataset.js';
import { type DiskOf, diskWithPatience } from '../../disk/disk.js';
import { ExitCode, shortDigest } from '../../errors.js';
import { arithmeticVersion } from '../../identity/arithmetic-version.js';
import type { Identity } from '../../identity/identity.js';
import type { LedgerHeader } from '../../ledger/entry.js';
import {
  type Ledger,
  type LedgerBeginning,
  type LedgerPosition,
  readLedgerUpTo,
} from '../../ledger/ledger.js';
import type { ModelLayout } from '../../model/layout.js';
import type { RunDirectory } from '../../run/run-directory.js';
import { trainingHash } from '../../run/training-hash.js';
import type { TrainingRun } from '../../run/training-run.js';
import { CoordinatorError } from '../error.js';
import { DirectLane } from '../lane/direct-lane.js';
import type { Lane } from '../lane/lane.js';
import { SgdOptimizer } from '../training/optimizer.js';
import { type IterationRecord, RunState, type UntrainedFigures } from '../training/run-state.js';
import type { CheckpointEvent } from './checkpoint-event.js';
import { CheckpointPace } from './checkpoint-pace.js';
import { anchoredFromTensors, codeTensors, queryCodesFromTensors } from './code-tensors.js';
import { hashFromTensors } from './hash-tensors.js';
import { flatVector, parameterTensors, statisticsTensors, weightsFromTensors } from './weight-tensors.js';

export interface RunCheckpointsOptions {
  readonly run: TrainingRun;
  readonly directory: RunDirectory;
  readonly dataset: Dataset;
  readonly layout: ModelLayout;
  readonly term: number;
  readonly fence: Fence;
  readonly log: Log;
  readonly clock: Clock;
  /** Copies the state for a checkpoint; absent for readers. */
  readonly lane?: Lane;
  /** For tests; see `CheckpointStore`. */
  readonly diskOf?: DiskOf;
}

/** What determines a run's bits besides its settings. */
export interface RunOrigin {
  /** Of the workers; null until the first worker has joined. */
  readonly identity: Identity | null;
  /** Version of the fcaenet that started the run; null when its checkpoints do not say. */
  readonly version: string | null;
}

/** Content of a checkpoint's `history.json`: everything about the run that is not a tensor. */
export interface Records {
  readonly datasetFingerprint: string;
  readonly optimizerStarted: boolean;
  readonly iterations: IterationRecord[];
  readonly lossSums: number[];
  readonly seconds: number;
  readonly images: number;
  readonly untrained: UntrainedFigures | null;
  /** The sample ledger's hash at this checkpoint. */
  readonly ledger: string;
}

/** A run restored from a checkpoint. */
export interface RestoredRun {
  /** Name of the checkpoint. */
  readonly name: string;
  readonly created: Date;
  readonly state: RunState;
  readonly origin: RunOrigin;
  readonly ledger: LedgerPosition;
  /** The ledger up to the checkpoint; null when no ledger was read, or when the run is finished. */
  readonly ledgerBeginning: LedgerBeginning | null;
}

/** Turns a run's state into checkpoints and back. Saves run in the background, one after another, on copies. */
export class RunCheckpoints {
  private readonly store: CheckpointStore;
  private readonly hash: string;
  private readonly pace: CheckpointPace;
  private pending: Promise<string | null> = Promise.resolve(null);
  /** Writes that failed since the last one that did not. */
  private failures = 0;
  /** The best mAP of the run that is in a checkpoint. */
  private best = Number.NEGATIVE_INFINITY;
  /** The tensors being written, by name. Every checkpoint reuses this memory. */
  private readonly copies = new Map<string, Float32Array<ArrayBuffer>>();
  private readonly lane: Lane;

  constructor(private readonly options: RunCheckpointsOptions) {
    const { run, directory } = options;
    this.lane = options.lane ?? new DirectLane();
    this.store = new CheckpointStore(
      directory.checkpoints,
      { keep: run.spec.operation.checkpoint.keep, fence: options.fence },
      options.diskOf,
    );
    this.hash = trainingHash(run);
    this.pace = new CheckpointPace(run.spec.operation.checkpoint.everySteps, secondsOf(this.options.clock));
  }

  /** Whether the run file asks for a checkpoint after this many steps. It may depend on how long the last one took. */
  isDue(globalStep: number): boolean {
    return this.pace.isDue(globalStep, secondsOf(this.options.clock));
  }

  /**
   * Waits until a step may be finished, when the run file limits the steps that a crash may lose. Throws the error of a
   * write that failed.
   */
  async beforeFinishing(globalStep: number): Promise<void> {
    if (this.pace.mayFinish(globalStep)) return;
    const { everySteps } = this.options.run.spec.operation.checkpoint;
    await (typeof everySteps === 'number' ? this.pending : this.previous());
  }

  /**
   * Restores the newest valid checkpoint; null when there is none yet.
   * @param ledgers of the run, the highest term's first: one of them must lead to the checkpoint, unless the run has
   * finished with it; null for readers
   * @param steps bounds of the steps that it may have
   * @throws CheckpointError when there are checkpoints but none is valid; CoordinatorError COORDINATOR_OTHER_DATASET
   */
  async restore(ledgers: readonly string[] | null, steps?: StepBounds): Promise<RestoredRun | null> {
    const { dataset, log, run, directory, diskOf = diskWithPatience } = this.options;
    const hasResult = ledgers !== null && directory.readResult() !== null;
    const ledgerUpTo = async ({ position, history }: CheckpointState) => {
      const { ledger: hash, datasetFingerprint } = history as Records;
      const isOver = hasResult && position.iteration === run.spec.schedule.iterations;
      // Another dataset is reported below, with a clearer message than a ledger that does not match.
      if (ledgers === null || isOver || datasetFingerprint !== dataset.fingerprint) return null;
      return readLedgerUpTo(ledgers, this.ledgerHeader, { steps: position.globalStep, hash }, diskOf(null));
    };
    const loaded = await this.store.loadNewest(
      { trainingHash: this.hash, arithmeticVersion, ...(steps && { steps }) },
      ledgerUpTo,
    );
    if (!loaded) return null;
    const { state: checkpoint, companion: ledgerBeginning, name, created, rejected } = loaded;
    for (const { name: refused, reason } of rejected)
      log.warn('checkpoint cannot be used', { name: refused, reason });
    const records = checkpoint.history as Records;
    if (records.datasetFingerprint !== dataset.fingerprint) {
      throw new CoordinatorError(
        'COORDINATOR_OTHER_DATASET',
        `checkpoint ${name} was trained on a dataset with fingerprint ${shortDigest(records.datasetFingerprint)}, but ${dataset.root} has ${shortDigest(dataset.fingerprint)}: its pictures, classes or splits differ from those of the run's start`,
      );
    }
    const lost = Math.max(...rejected.map(({ globalStep }) => globalStep)) - checkpoint.position.globalStep;
    if (ledgers !== null && lost > 0) {
      log.warn('using an older checkpoint; the steps after it are computed again', {
        name,
        steps: lost,
      });
    }
    const state = this.stateFrom(checkpoint, records);
    this.best = bestMAP(state.history);
    this.pace.durable(state.position.globalStep);
    return {
      name,
      created,
      state,
      origin: {
        identity: checkpoint.identity === null ? null : JSON.parse(checkpoint.identity),
        version: checkpoint.version,
      },
      ledger: { steps: state.position.globalStep, hash: records.ledger },
      ledgerBeginning,
    };
  }

  /**
   * Copies the state and writes it in the background. Waits only for the previous checkpoint. First makes the ledger
   * durable up to the state's position.
   */
  async saveInBackground(
    state: RunState,
    origin: RunOrigin,
    ledger: Ledger,
    notify: (event: CheckpointEvent) => void,
  ): Promise<void> {
    // Another caller may have started a checkpoint during the wait.
    for (let before: unknown; before !== this.pending; ) {
      before = this.pending;
      await this.previous();
    }
    const mAP = bestMAP(state.history);
    const bestBefore = this.best;
    const isBest = mAP > bestBefore;
    this.best = Math.max(bestBefore, mAP);
    const begunAt = secondsOf(this.options.clock);
    this.pace.begun(begunAt);
    const { checkpoint, copied } = this.checkpointOf(state, origin);
    const saved = Promise.all([ledger.sync(), copied]).then(async ([hash]) => {
      const history = { ...checkpoint.history, ledger: hash };
      const onAbandoned = (abandoned: AbandonedWrite) => {
        this.options.log.warn('checkpoint not written in time; writing it again', { ...abandoned });
        this.pace.stalled();
        notify({ type: 'checkpoint.abandoned' });
      };
      const written = await this.store.save({ ...checkpoint, history }, { best: isBest, onAbandoned });
      this.pace.durable(checkpoint.position.globalStep);
      this.failures = 0;
      notify({ type: 'checkpoint.written', ...written });
      return written.name;
    });
    // The next caller that waits throws the failure. Until then it must not count as unhandled.
    saved
      .catch((error) => {
        this.failures++;
        this.best = bestBefore;
        if (isFailedWrite(error) && this.failures === 1) this.sayFailed(error);
        notify({ type: 'checkpoint.failed' });
      })
      .finally(() => this.pace.written(secondsOf(this.options.clock) - begunAt));
    this.pending = saved;
  }

  /** The same, and waits until the checkpoint is durable. @returns its name */
  async saveAndWait(
    state: RunState,
    origin: RunOrigin,
    ledger: Ledger,
    notify: (event: CheckpointEvent) => void,
  ): Promise<string> {
    await this.saveInBackground(state, origin, ledger, notify);
    // A checkpoint that another caller has just started is as new as this one.
    return (await this.pending)!;
  }

  /** Steps after which there is a checkpoint that says so, the newest first. */
  async steps(): Promise<number[]> {
    return (await this.store.list()).flatMap(({ manifest }) => manifest?.position.globalStep ?? []);
  }

  /** The header of this run's ledger. */
  get ledgerHeader(): LedgerHeader {
    return {
      format: 'fcaenet-ledger',
      formatVersion: 1,
      trainingHash: this.hash,
      datasetFingerprint: this.options.dataset.fingerprint,
      arithmeticVersion,
    };
  }

  /** Waits for the last checkpoint and returns its name; throws the error of a failed write. */
  settled(): Promise<string | null> {
    return this.pending;
  }

  /** Waits for the last checkpoint. Room may have been made since a single failed write, so that does not count. */
  private async previous(): Promise<void> {
    await this.pending.catch((error) => {
      if (!isFailedWrite(error) || this.failures > 1) throw error;
    });
  }

  private sayFailed({ message }: CheckpointError): void {
    const { everySteps } = this.options.run.spec.operation.checkpoint;
    this.options.log.warn('checkpoint not written', {
      reason: message,
      remedy:
        typeof everySteps === 'number'
          ? `make room for checkpoints; this run must not go on for more than ${everySteps} steps without one, and ends then`
          : 'make room for checkpoints; the run goes on to the next one, and ends if that cannot be written either',
    });
  }

  /**
   * Copies the state, without the ledger's hash. Parameters and momentum are there when `copied` resolves. Until then
   * nothing changes them: a step writes to other memory, and the lane copies before it computes the step after that.
   */
  private checkpointOf(
    state: RunState,
    { identity, version }: RunOrigin,
  ): {
    readonly checkpoint: CheckpointState & { history: Omit<Records, 'ledger'> };
    readonly copied: Promise<unknown>;
  } {
    const { layout, dataset, term } = this.options;
    const { weights, optimizer } = state;
    const parameters = this.copyOf('parameters', weights.parameters);
    const momentum = this.copyOf('momentum', optimizer.buffer);
    const records: Omit<Records, 'ledger'> = {
      datasetFingerprint: dataset.fingerprint,
      optimizerStarted: optimizer.hasStarted,
      iterations: [...state.history],
      lossSums: [...state.lossSums],
      seconds: state.seconds,
      images: state.images,
      untrained: state.untrained,
    };
    const mAP = state.history.at(-1)?.evaluation?.mAP;
    const checkpoint: CheckpointState & { history: Omit<Records, 'ledger'> } = {
      position: state.position,
      term,
      trainingHash: this.hash,
      arithmeticVersion,
      version,
      identity: identity && JSON.stringify(identity),
      metrics: mAP === undefined ? {} : { mAP },
      tensors: {
        weights: {
          ...parameterTensors(layout, parameters.values),
          ...statisticsTensors(layout, weights),
        },
        optimizer: parameterTensors(layout, momentum.values),
        codes: codeTensors(state, layout),
      },
      history: records,
    };
    return { checkpoint, copied: Promise.all([parameters.copied, momentum.copied]) };
  }

  /** Copies values into reused memory: no checkpoint starts before the previous one is written. */
  private copyOf(
    what: string,
    values: Float32Array,
  ): { values: Float32Array<ArrayBuffer>; copied: Promise<void> } {
    const copy =
      this.copies.get(what) ?? new Float32Array(this.lane.allocate(values.byteLength) as ArrayBuffer);
    this.copies.set(what, copy);
    // A lane that has failed computes nothing, so the values are still those of this moment.
    const copied = this.lane.copy(values, copy).catch(() => copy.set(values));
    return { values: copy, copied };
  }

  private stateFrom({ tensors, position }: CheckpointState, records: Records): RunState {
    const { layout, run } = this.options;
    const momentum = flatVector(layout, tensors.optimizer);
    const optimizer = new SgdOptimizer(run.spec.optimizer, momentum, records.optimizerStarted);
    const state = new RunState(
      weightsFromTensors(layout, tensors.weights),
      optimizer,
      tensors.codes.V!.data as Int8Array,
      tensors.codes.U!.data as Float32Array,
    );
    state.hash = hashFromTensors(tensors.codes);
    state.anchored = anchoredFromTensors(tensors.codes);
    state.queryCodes = queryCodesFromTensors(tensors.codes);
    state.position = position;
    state.history = records.iterations;
    state.lossSums = Float64Array.from(records.lossSums);
    state.seconds = records.seconds;
    state.images = records.images;
    state.untrained = records.untrained;
    return state;
  }
}

/** Whether the disk refused a checkpoint, so that a later one may succeed. */
function isFailedWrite(error: unknown): error is CheckpointError {
  // A disk that has not answered for minutes has another exit code.
  return error instanceof CheckpointError && error.exitCode === ExitCode.cannotCreate;
}

function bestMAP(history: readonly IterationRecord[]): number {
  return Math.max(
    Number.NEGATIVE_INFINITY,
    ...history.map(({ evaluation }) => evaluation?.mAP ?? Number.NEGATIVE_INFINITY),
  );
}
