import type { RunPosition } from '../../checkpoint/manifest.js';
import { KeyedRandom, Purpose } from '../../data/random.js';
import { signCodes } from '../../hashing/codes.js';
import type { LinearMap } from '../../methods/class-code-map.js';
import { beginsWithoutCodes } from '../../methods/first-codes.js';
import type { HashFunction } from '../../methods/method.js';
import { storesOutputs } from '../../methods/methods.js';
import { updateRunningStatistics } from '../../model/batch-norm-moments.js';
import type { ModelLayout } from '../../model/layout.js';
import { lossTermsOf } from '../../model/loss.js';
import type { NodePayload } from '../../reduction/payload.js';
import type { TrainingRunSpec } from '../../run/training-run.js';
import { startPosition } from '../../schedule/schedule.js';
import type { FlatWeights } from '../dispatch/outgoing-weights.js';
import type { TrainedVectors } from '../lane/sgd.js';
import { SgdOptimizer } from './optimizer.js';

/** One iteration in the run's history. */
export interface IterationRecord {
  /** Counted from 1. */
  readonly iteration: number;
  readonly learningRate: number;
  /** Mean over the iteration's steps, by term, in the order of `lossTermsOf`; empty when it had no steps. */
  readonly losses: readonly number[];
  readonly flippedBits: number;
  /** Null when the iteration was not evaluated. */
  readonly evaluation: EvaluationRecord | null;
}

export interface EvaluationRecord {
  readonly queries: number;
  readonly mAP: number;
  readonly tieAveragedMAP: number;
  readonly precisionAt: Readonly<Record<string, number>>;
}

/** Mean average precision of two methods without training, on the same images. The run should be better. */
export interface UntrainedFigures {
  /** Nearest neighbours by colour histogram. */
  readonly colorHistogram: number;
  /** Signs of random projections of the features of the initial weights, at the run's code length. */
  readonly randomProjection: number;
}

/** The complete state of a run at one moment. A checkpoint contains it. */
export class RunState {
  position: RunPosition = startPosition;
  history: IterationRecord[] = [];
  /** Sums over the current iteration's steps, by term, in the order of `lossTermsOf`. */
  lossSums = new Float64Array(0);
  /** Seconds of training and evaluation, and trained images, over all processes of the run. */
  seconds = 0;
  images = 0;
  untrained: UntrainedFigures | null = null;
  /** What makes codes of features; null before it is learned, and where the network makes codes. */
  hash: HashFunction | null = null;
  /** Mean local features of the classes `[classes, parts, width]`; null while no features are exchanged. */
  anchored: Float32Array<ArrayBuffer> | null = null;
  /**
   * ±1 `[queries, bits]`: codes of the whole test split, of the evaluation that ranked the present V for them. Null when
   * the present V was ranked for none of them or for some.
   */
  queryCodes: Int8Array | null = null;

  constructor(
    public weights: FlatWeights,
    readonly optimizer: SgdOptimizer,
    /** V, ±1 `[n, bits]`; all 0 where there are no codes yet. */
    public codes: Int8Array,
    /**
     * Outputs of the sampled images `[m, bits]`, or of all training images `[n, bits]` where the loss over pairs stores
     * them. Each step writes the rows that it computed.
     */
    readonly u: Float32Array,
  ) {}

  /** The state before the first step: these weights, no momentum, V random (method 6.12), 0, or not made yet. */
  static initial(spec: TrainingRunSpec, weights: FlatWeights, databaseSize: number): RunState {
    const random = new KeyedRandom(spec.seed);
    const length = databaseSize * spec.bits;
    const isUnset = spec.firstCodes === 'class-means' || beginsWithoutCodes(spec);
    const codes = isUnset
      ? new Int8Array(length)
      : signCodes(Float32Array.from({ length }, (_, i) => random.unit(Purpose.databaseCodes, 0, 0, i) - 0.5));
    const optimizer = new SgdOptimizer(spec.optimizer, new Float32Array(weights.parameters.length), false);
    const state = new RunState(
      weights,
      optimizer,
      codes,
      new Float32Array(storesOutputs(spec.method) ? length : spec.dataset.sampleSize * spec.bits),
    );
    state.lossSums = new Float64Array(lossTermsOf(spec.method).length);
    return state;
  }

  /** The parameters and their momentum. A step replaces them. */
  get trained(): TrainedVectors {
    return { parameters: this.weights.parameters, buffer: this.optimizer.buffer };
  }

  /** Copies parameters and momentum into other memory, and uses that from then on. */
  moveTo({ parameters, buffer }: TrainedVectors): void {
    parameters.set(this.weights.parameters);
    buffer.set(this.optimizer.buffer);
    this.weights = { ...this.weights, parameters };
    this.optimizer.buffer = buffer;
  }

  /** Replaces the hash layer's weight and bias, the last of the parameters, in place. */
  setHashLayer({ weight, bias }: LinearMap): void {
    const { parameters } = this.weights;
    parameters.set(bias, parameters.length - bias.length);
    parameters.set(weight, parameters.length - bias.length - weight.length);
  }

  /**
   * Applies one optimiser step to the weights, the running statistics (once for the whole batch), the rows of U and the
   * loss sums.
   * @param trained what the step makes of parameters and momentum
   * @param rows the row of U for each row of the batch
   * @param momentum of the running statistics
   */
  applyStep(
    layout: ModelLayout,
    trained: TrainedVectors,
    rows: Int32Array,
    sum: Omit<NodePayload, 'gradient'>,
    momentum: number,
  ): void {
    const { u } = this;
    const bits = layout.settings.bits;
    const weights = { ...this.weights, parameters: trained.parameters };
    this.weights = weights;
    this.optimizer.advanceTo(trained.buffer);
    updateRunningStatistics(layout, weights.mean, weights.variance, sum.moments, momentum);
    rows.forEach((target, row) => {
      u.set(sum.u.subarray(row * bits, (row + 1) * bits), target * bits);
    });
    sum.losses.forEach((loss, term) => {
      this.lossSums[term]! += loss;
    });
  }
}
