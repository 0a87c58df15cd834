import type { Console } from '../../console/console.js';
import type { ProgressTask } from '../../console/progress.js';
import type { TrainingRunSpec } from '../../run/training-run.js';
import type { RunState } from '../training/run-state.js';
import type { TrainingObserver } from '../training/training-loop.js';
import type { RemainingTime } from './remaining-time.js';

/** What a narration is told besides what happens in training. */
export interface Narration extends TrainingObserver {
  /** That the run holds because it was asked to, or goes on. */
  paused(isPaused: boolean): void;
}

/**
 * Tells a person or a log what a run does: progress over all its steps, evaluations, and whatever is out of order.
 * @param remaining told of each step before the narration is
 */
export function narrate(
  console: Console,
  spec: TrainingRunSpec,
  state: RunState,
  stepsPerEpoch: number,
  remaining: RemainingTime,
): Narration {
  const { log } = console;
  const { iterations, epochs } = spec.schedule;
  const total = iterations * epochs * stepsPerEpoch;
  let training: ProgressTask | null = null;
  let encoding: ProgressTask | null = null;
  let lastMAP: number | undefined;
  let begun = false;
  const startTraining = () => console.startTask({ name: 'training', total, unit: 'steps' });
  return {
    stepDone: (losses, seconds, images) => {
      begun = true;
      training ??= startTraining();
      const loss = losses.reduce((sum, term) => sum + term, 0);
      const { globalStep, iteration } = state.position;
      training.update(
        globalStep,
        {
          loss,
          ...(lastMAP === undefined ? {} : { mAP: lastMAP }),
          iteration: `${iteration + 1}/${iterations}`,
          imagesPerSecond: Math.round(images / seconds),
        },
        { perSecond: remaining.stepsPerSecond, secondsLeft: remaining.secondsFrom(state.position) },
      );
      if (globalStep === total) {
        training.finish();
        training = null;
      }
    },
    encoding: (what, done, images) => {
      begun = true;
      encoding ??= console.startTask({ name: what, total: images, unit: 'images' });
      encoding.update(done);
      if (done === images) {
        encoding.finish();
        encoding = null;
      }
    },
    measuringUntrained: () =>
      log.info(
        'measuring untrained features, which the codes have to beat: colour histograms, and random projections ' +
          'of the features that training starts from',
      ),
    untrainedMeasured: ({ colorHistogram, randomProjection }) =>
      log.info('untrained features measured, as mAP', { colorHistogram, randomProjection }),
    paused: (isPaused) => {
      log.info(isPaused ? 'paused' : 'going on');
      if (state.position.globalStep < total) training ??= startTraining();
      training?.hold(isPaused ? 'paused' : 'going on');
    },
    codesUpdated: (iteration, flippedBits, seconds) =>
      log.info('database codes updated', { iteration, flippedBits, seconds }),
    objective: (iteration, bit, value) => log.info('objective', { iteration, bit, value }),
    evaluated: (iteration, { queries, mAP, tieAveragedMAP, precisionAt }) => {
      lastMAP = mAP;
      log.info('evaluated', { iteration, mAP, tieAveragedMAP, precisionAt, queries });
    },
    redispatched: (microbatches, { reason }) =>
      log.warn('microbatches handed out again', { microbatches, reason }),
    overdue: ({ label }, microbatches) =>
      log.warn('a worker is late; others compute the same', { worker: label, microbatches }),
    compared: (microbatch, outcome) => {
      if (outcome === 'contradiction') log.error('workers contradict each other', { microbatch });
    },
    waiting: () => {
      // That the first ones are still to come has been said.
      if (!begun) return;
      log.warn('too few workers are there; waiting for more');
      (encoding ?? training)?.hold('waiting for workers');
    },
  };
}
