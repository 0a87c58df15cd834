import type { Clock } from '../../clock.js';
import type { Dataset } from '../../data/dataset.js';
import type { TripletSampler } from '../../data/sampler.js';
import { isUnset, unpackCodes } from '../../hashing/codes.js';
import type { Ledger } from '../../ledger/ledger.js';
import { imagesPerAnchor, networkHead, pairLoss } from '../../methods/methods.js';
import type { ModelLayout } from '../../model/layout.js';
import type { TrainingRunSpec } from '../../run/training-run.js';
import { advance, evaluationIsDue, learningRateAt } from '../../schedule/schedule.js';
import type { StepSum, UpdatingStep } from '../dispatch/gradient-work.js';
import { encodeContext, type IterationMessage, OutgoingWeights } from '../dispatch/outgoing-weights.js';
import type { WorkerPool } from '../dispatch/pool.js';
import { StepPhases } from '../dispatch/step-phases.js';
import type { WorkSurroundings } from '../dispatch/work-surroundings.js';
import type { Lane } from '../lane/lane.js';
import type { TrainedVectors } from '../lane/sgd.js';
import { StepUpdate } from '../lane/step-update.js';
import { summaryOfCodes } from './adsh-codes.js';
import { codeMakingOf } from './code-making-of.js';
import { type DescribedStep, describeStep } from './describe-step.js';
import { evaluateCodes } from './evaluation.js';
import { classMeanStart } from './first-codes.js';
import { pairStep } from './pair-step.js';
import type { RunState } from './run-state.js';
import type { TrainingEvent } from './training-event.js';
import { measureUntrained } from './untrained.js';

export interface TrainingLoopOptions {
  readonly spec: TrainingRunSpec;
  readonly term: number;
  readonly dataset: Dataset;
  readonly sampler: TripletSampler;
  readonly layout: ModelLayout;
  readonly pool: WorkerPool;
  readonly state: RunState;
  /** Called with each event. */
  readonly notify: (event: TrainingEvent) => void;
  readonly ledger: Pick<Ledger, 'record'>;
  /** Ends the loop when aborted. The state is never changed in part. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Called when answers contradict each other after one of them was used. The state must not be saved then. */
  readonly onLateContradiction: WorkSurroundings['onLateContradiction'];
  /** Called after every step with the number of steps since the beginning of the run. */
  readonly checkpointIsDue: (globalStep: number) => boolean;
  /** Awaited before a step is applied, with its number since the beginning of the run. */
  readonly beforeFinishing: (globalStep: number) => Promise<void>;
  /** Awaited before each step and each evaluation. Resolves when the run is not paused. */
  readonly beforeStep: () => Promise<void>;
  /** Computes a step's summed gradient. */
  readonly runStep: (step: UpdatingStep, surroundings: WorkSurroundings) => Promise<StepSum>;
  /** Computes what each step makes of the weights. */
  readonly lane: Lane;
  /** As of `WorkSurroundings`. */
  readonly distribute?: WorkSurroundings['distribute'];
  /** Awaited at every position where the run file asks for a checkpoint. */
  readonly checkpoint: () => Promise<void>;
}

/**
 * Method 1.10. Each iteration has epochs of optimiser steps over the sampled images, an update of the database codes,
 * and an evaluation when one is due. A method on features has one iteration without epochs. The state changes only in
 * code without an `await`, so an interruption never finds a partial change.
 */
export class TrainingLoop {
  /** Memory for what the next step makes of parameters and momentum; null before the first step. */
  private spare: TrainedVectors | null = null;

  constructor(private readonly options: TrainingLoopOptions) {}

  /** Runs from the state's position to the end; rejects with the signal's reason when aborted. */
  async run(): Promise<void> {
    const { spec, state } = this.options;
    state.moveTo(this.vectors());
    if (state.untrained === null && spec.operation.evaluation.untrained) await this.measureUntrained();
    if (spec.firstCodes === 'class-means' && isUnset(state.codes)) await this.makeStart();
    while (state.position.iteration < spec.schedule.iterations) {
      if (state.position.phase === 'train') {
        if (spec.schedule.epochs > 0) await this.trainEpochs();
        await this.updateCodes();
      }
      await this.finishIteration();
    }
  }

  /** The optimiser steps of the iteration that are left. */
  private async trainEpochs(): Promise<void> {
    const { spec, dataset, state, sampler, notify, pool, layout, clock } = this.options;
    const { iteration } = state.position;
    const { schedule } = spec;
    const pairs = pairLoss(spec.method);
    const context = pairs ? null : this.iterationContext(iteration);
    const learningRate = learningRateAt(schedule, iteration);
    const steps = sampler.batches();
    if (state.position.epoch === 0 && state.position.step === 0) state.lossSums.fill(0);
    while (state.position.epoch < schedule.epochs) {
      await this.options.beforeStep();
      const { epoch, step } = state.position;
      const started = clock.nowMs();
      const phases = new StepPhases(clock);
      const batch = sampler.batch(iteration, epoch, step);
      const { positions, anchors } = batch;
      const described = this.describe(context, learningRate, phases);
      const paired =
        pairs && (await pairStep(described, batch, pairs, state, { ...this.surroundings(), spec, dataset }));
      const description = paired ? { ...described, leaf: paired.leaf } : described;
      const summed = await this.options.runStep(description, this.surroundings());
      const sum = paired ? { ...summed, losses: paired.losses } : summed;
      const gradientSha256 = sum.gradientSha256 ?? (await description.update.whole(sum.gradient));
      const gradientNorm = await description.update.clip(sum.gradient);
      await this.options.beforeFinishing(state.position.globalStep + 1);
      // There is no await between recording, applying and advancing. So a checkpoint always has ledger and state of the
      // same step.
      const recorded = this.record(description, gradientSha256);
      this.spare = state.trained;
      const rows = pairs?.storesOutputs ? anchors : positions;
      state.applyStep(layout, description.update.into, rows, sum, spec.batchNormalisation.momentum);
      state.position = advance(state.position, steps);
      await recorded;
      const seconds = (clock.nowMs() - started) / 1000;
      const images = positions.length * imagesPerAnchor(spec.method);
      state.seconds += seconds;
      state.images += images;
      notify({
        type: 'step.done',
        losses: sum.losses,
        seconds,
        phases: phases.seconds(),
        images,
        gradientNorm,
      });
      pool.memory.give(sum.gradient.buffer);
      if (this.options.checkpointIsDue(state.position.globalStep)) await this.options.checkpoint();
    }
  }

  /** Makes the iteration's database codes and records what it trained. */
  private async updateCodes(): Promise<void> {
    const { spec, state, sampler, notify, clock } = this.options;
    const { iteration } = state.position;
    const { schedule } = spec;
    const started = clock.nowMs();
    const { codes, hash, anchored, flippedBits, seconds } = await codeMakingOf(spec.method).databaseCodes({
      ...this.evaluationContext(schedule.epochs > 0 ? 'sampled images' : 'database'),
      notify,
      omega: sampler.omega(iteration),
      weights: this.weights(),
      state,
    });
    state.codes = codes;
    state.queryCodes = null;
    state.hash = hash;
    state.anchored = anchored;
    const steps = sampler.batches() * schedule.epochs;
    state.history.push({
      iteration: iteration + 1,
      learningRate: learningRateAt(schedule, iteration),
      losses: steps > 0 ? [...state.lossSums].map((loss) => loss / steps) : [],
      flippedBits,
      evaluation: null,
    });
    state.position = { ...state.position, phase: 'evaluate' };
    const passed = (clock.nowMs() - started) / 1000;
    state.seconds += passed;
    notify({
      type: 'codes.updated',
      iteration: iteration + 1,
      flippedBits,
      seconds,
      encodingSeconds: passed - seconds,
    });
  }

  private async finishIteration(): Promise<void> {
    const { spec, dataset, state, notify, clock } = this.options;
    const { iteration } = state.position;
    const isLast = iteration + 1 === spec.schedule.iterations;
    await this.options.beforeStep();
    if (evaluationIsDue(spec, iteration)) {
      const started = clock.nowMs();
      const { maxQueries } = spec.operation.evaluation;
      const { report, queryCodes } = await evaluateCodes(
        this.evaluationContext('queries'),
        this.weights(),
        state,
        iteration,
        isLast ? null : maxQueries,
      );
      const { queries, mAP, tieAveragedMAP, precisionAt } = report;
      const evaluation = { queries, mAP, tieAveragedMAP, precisionAt };
      state.history[iteration] = { ...state.history[iteration]!, evaluation };
      state.queryCodes =
        queries === dataset.test.labels.length ? unpackCodes(queryCodes, queries, spec.bits) : null;
      const seconds = (clock.nowMs() - started) / 1000;
      state.seconds += seconds;
      notify({ type: 'evaluated', iteration: iteration + 1, evaluation, seconds });
    }
    state.position = { ...state.position, iteration: iteration + 1, epoch: 0, step: 0, phase: 'train' };
    if (isLast || (iteration + 1) % spec.operation.checkpoint.everyIterations === 0) {
      await this.options.checkpoint();
    }
  }

  private async measureUntrained(): Promise<void> {
    const { state, layout, notify } = this.options;
    notify({ type: 'untrained.begun' });
    state.untrained = await measureUntrained(
      this.evaluationContext('untrained features'),
      this.weights(),
      layout.featureWidth,
    );
    notify({ type: 'untrained.measured', figures: state.untrained });
  }

  private async makeStart(): Promise<void> {
    const { spec, state, clock, notify } = this.options;
    await this.options.beforeStep();
    const started = clock.nowMs();
    const context = { ...this.evaluationContext('features of the classes'), notify };
    const { codes, hashLayer } = await classMeanStart(context, this.weights());
    // Workers may still read the memory of the weights that they have encoded with.
    state.moveTo(this.vectors());
    // An untrained network has other features once batch normalisation sees batches, so its hash layer stays.
    if (spec.model.weights !== null && networkHead(spec.method) === 'pooled') state.setHashLayer(hashLayer);
    state.codes = codes;
    state.seconds += (clock.nowMs() - started) / 1000;
  }

  private evaluationContext(what: string) {
    const { spec, dataset, term, notify } = this.options;
    const onProgress = (done: number, total: number) => notify({ type: 'encoding', what, done, total });
    return { ...this.surroundings(), spec, dataset, term, onProgress };
  }

  private surroundings(): WorkSurroundings {
    const { pool, clock, notify, signal, distribute, onLateContradiction } = this.options;
    return { pool, clock, notify, signal, onLateContradiction, ...(distribute && { distribute }) };
  }

  /** The weights as they are now. */
  private weights(): OutgoingWeights {
    const { term, state, spec, lane } = this.options;
    const { position, weights, codes } = state;
    // A start from the features changes the weights before the first step.
    const changes = Number(spec.firstCodes === 'class-means' && !isUnset(codes));
    return new OutgoingWeights(term, position.globalStep + changes, weights, spec.wire.precision, lane);
  }

  /** Records the step's samples and gradient in the ledger. Call it before the state changes. */
  private record({ tree, batchSha256: batch }: DescribedStep, gradientSha256: string): Promise<void> {
    const { term, state, ledger } = this.options;
    const { iteration, epoch, step, globalStep } = state.position;
    const leaves = tree.leaves.map((index) => tree.rowCount(index));
    return ledger.record({ term, iteration, epoch, step, globalStep, batch, leaves, gradientSha256 });
  }

  /** What the iteration's loss needs of V. */
  private iterationContext(iteration: number): IterationMessage {
    const { dataset, state, spec, sampler, term } = this.options;
    const summary = summaryOfCodes(dataset, state.codes, spec.bits, sampler.omega(iteration));
    return encodeContext(term, iteration, summary, state.anchored);
  }

  private describe(
    context: IterationMessage | null,
    learningRate: number,
    phases: StepPhases,
  ): DescribedStep & UpdatingStep {
    const { spec, state, sampler, layout, term, lane } = this.options;
    this.spare ??= this.vectors();
    const { position, codes, optimizer } = state;
    const step = {
      spec,
      term,
      position,
      sampler,
      codes,
      exchanges: state.anchored !== null,
      layout,
      weights: this.weights(),
      context,
      phases,
    };
    const { maxGradientNorm } = spec.optimizer;
    const update = new StepUpdate(
      lane,
      state.trained,
      this.spare,
      optimizer.scalars(learningRate),
      maxGradientNorm,
    );
    return { ...describeStep(step), update };
  }

  /** Memory for parameters and momentum that the lane can use. */
  private vectors(): TrainedVectors {
    const { state, lane } = this.options;
    const vector = () => new Float32Array(lane.allocate(state.weights.parameters.byteLength));
    return { parameters: vector(), buffer: vector() };
  }
}
