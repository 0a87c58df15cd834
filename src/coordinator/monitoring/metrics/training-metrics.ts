import type { RunPosition } from '../../../checkpoint/manifest.js';
import { lossTermsOf } from '../../../model/loss.js';
import type { TrainingRunSpec } from '../../../run/training-run.js';
import type { EvaluationSchedule } from '../../../schedule/schedule.js';
import { stepPhases } from '../../dispatch/step-phases.js';
import type { IterationRecord } from '../../training/run-state.js';
import type { CoordinatorEvent } from '../coordinator-event.js';
import { RemainingTime } from '../remaining-time.js';
import type { Instruments } from './instruments.js';

/** In seconds. A step takes 10 ms with images of 64 pixels, and a minute when few workers share a large batch. */
const stepSecondsBuckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export interface TrainingSources {
  readonly spec: EvaluationSchedule & Pick<TrainingRunSpec, 'method' | 'bits' | 'model'>;
  readonly stepsPerEpoch: number;
  /** The run's position and history, including those of earlier processes. */
  position(): RunPosition;
  history(): readonly IterationRecord[];
  /** Unix time. */
  nowMs(): number;
}

/** Metrics of training: position, speed and quality. */
export class TrainingMetrics {
  readonly remaining: RemainingTime;
  private readonly terms: readonly string[];
  private readonly loss;
  private readonly images;
  private readonly imagesPerSecond;
  private readonly stepSeconds;
  private readonly gradientNorm;
  private readonly phaseSeconds;
  private readonly flippedBits;
  private readonly vStepSeconds;
  private readonly evaluationSeconds;
  private readonly evaluationTime;
  private readonly lastProgress;
  private readonly isPaused;

  constructor(
    instruments: Instruments,
    private readonly sources: TrainingSources,
  ) {
    const { spec, stepsPerEpoch } = sources;
    const { schedule, method, bits, model } = spec;
    this.terms = lossTermsOf(method);
    this.remaining = new RemainingTime(spec, stepsPerEpoch);
    instruments
      .gauge('fcaenet_run_info', 'What is trained; always 1.', ['method', 'bits', 'backbone'])
      .set({ method, bits, backbone: model.backbone }, 1);
    instruments
      .gauge('fcaenet_configured_iterations', 'Iterations that the whole run has.')
      .set(schedule.iterations);
    instruments
      .gauge('fcaenet_configured_steps', 'Optimiser steps that the whole run has.')
      .set(schedule.iterations * schedule.epochs * stepsPerEpoch);
    this.registerPosition(instruments);
    this.loss = instruments.gauge('fcaenet_loss', 'The last batch’s loss, by term.', ['term']);
    this.images = instruments.counter('fcaenet_images_total', 'Images trained on by this process.');
    this.imagesPerSecond = instruments.lateGauge(
      'fcaenet_images_per_second',
      'Images of the last step over its time.',
    );
    this.stepSeconds = instruments.histogram(
      'fcaenet_step_seconds',
      'Time of an optimiser step.',
      stepSecondsBuckets,
    );
    this.phaseSeconds = instruments.counter(
      'fcaenet_step_phase_seconds_total',
      'Time of all steps, by what it was spent on.',
      'phase',
      stepPhases,
    );
    this.gradientNorm = instruments.lateGauge(
      'fcaenet_gradient_norm',
      'Euclidean norm of the last batch’s gradient before it was clipped.',
    );
    this.flippedBits = instruments.lateGauge(
      'fcaenet_flipped_bits',
      'Bits of the database codes that the last V-step changed.',
    );
    this.vStepSeconds = instruments.lateGauge('fcaenet_v_step_seconds', 'Time of the last V-step.');
    this.evaluationSeconds = instruments.lateGauge(
      'fcaenet_evaluation_seconds',
      'Time of the last evaluation.',
    );
    this.evaluationTime = instruments.lateGauge(
      'fcaenet_evaluation_timestamp_seconds',
      'Unix time of the last evaluation by this process.',
    );
    this.lastProgress = instruments.gauge(
      'fcaenet_last_progress_timestamp_seconds',
      'Unix time at which the run last got ahead: a step, some encoded images, a V-step, an evaluation.',
    );
    this.isPaused = instruments.gauge('fcaenet_paused', 'Whether the run holds because it was asked to.');
    this.registerEvaluations(instruments);
    this.progressed();
  }

  take(event: CoordinatorEvent): void {
    switch (event.type) {
      case 'step.done':
        this.stepDone(event.losses, event.seconds, event.images);
        for (const phase of stepPhases) this.phaseSeconds.inc({ phase }, event.phases[phase]);
        if (event.gradientNorm !== null) this.gradientNorm.set(event.gradientNorm);
        break;
      case 'encoding':
        this.progressed();
        break;
      case 'codes.updated':
        this.codesUpdated(event.flippedBits, event.seconds, event.encodingSeconds);
        break;
      case 'evaluated':
        this.evaluated(event.seconds);
        break;
      case 'paused':
        this.paused(event.isPaused);
        break;
    }
  }

  /** @param losses by term, in the order of `lossTermsOf` */
  private stepDone(losses: ArrayLike<number>, seconds: number, images: number): void {
    this.terms.forEach((term, index) => {
      this.loss.set({ term }, losses[index]!);
    });
    this.images.inc(images);
    this.stepSeconds.observe(seconds);
    if (seconds > 0) this.imagesPerSecond.set(images / seconds);
    this.remaining.stepDone(seconds);
    this.progressed();
  }

  /** @param encodingSeconds time of encoding the sampled images before the V-step */
  private codesUpdated(flippedBits: number, seconds: number, encodingSeconds: number): void {
    this.flippedBits.set(flippedBits);
    this.vStepSeconds.set(seconds);
    this.remaining.codesUpdated(seconds + encodingSeconds);
    this.progressed();
  }

  private evaluated(seconds: number): void {
    this.evaluationSeconds.set(seconds);
    this.evaluationTime.set(this.sources.nowMs() / 1000);
    this.remaining.evaluated(seconds);
    this.progressed();
  }

  /** Records the time of the last progress. */
  private progressed(): void {
    this.lastProgress.set(this.sources.nowMs() / 1000);
  }

  private paused(isPaused: boolean): void {
    this.isPaused.set(isPaused ? 1 : 0);
    // A pause does not count as time without progress.
    this.progressed();
  }

  private registerPosition(instruments: Instruments): void {
    const { position } = this.sources;
    const show = (name: string, help: string, part: 'iteration' | 'epoch' | 'globalStep') =>
      instruments.gaugeOf(name, help, [], (gauge) => gauge.set(position()[part]));
    show('fcaenet_iteration', 'Iterations finished.', 'iteration');
    show('fcaenet_epoch', 'Epochs finished in this iteration.', 'epoch');
    show('fcaenet_step', 'Optimiser steps since the beginning of the run.', 'globalStep');
    instruments.gaugeOf(
      'fcaenet_remaining_seconds',
      'Estimated time until the run is finished; absent before it can be estimated.',
      [],
      (gauge) => {
        const seconds = this.remaining.secondsFrom(position());
        if (seconds !== null) gauge.set(seconds);
      },
    );
  }

  /** The history also has the evaluations of earlier processes. */
  private registerEvaluations(instruments: Instruments): void {
    const evaluations = () =>
      this.sources
        .history()
        .flatMap(({ iteration, evaluation }) => (evaluation ? [{ iteration, ...evaluation }] : []));
    instruments.gaugeOf(
      'fcaenet_mean_average_precision',
      'Mean average precision of the last evaluation, ties by database index or averaged.',
      ['ties'],
      (gauge) => {
        const last = evaluations().at(-1);
        if (!last) return;
        gauge.set({ ties: 'index' }, last.mAP);
        gauge.set({ ties: 'averaged' }, last.tieAveragedMAP);
      },
    );
    instruments.gaugeOf(
      'fcaenet_best_mean_average_precision',
      'The highest mean average precision of all evaluations of the run, ties by database index.',
      [],
      (gauge) => {
        const all = evaluations();
        if (all.length > 0) gauge.set(Math.max(...all.map(({ mAP }) => mAP)));
      },
    );
    instruments.gaugeOf(
      'fcaenet_evaluated_iteration',
      'The iteration, counted from 1, that was evaluated last.',
      [],
      (gauge) => {
        const last = evaluations().at(-1);
        if (last) gauge.set(last.iteration);
      },
    );
  }
}
