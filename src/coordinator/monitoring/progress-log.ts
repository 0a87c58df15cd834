import type { Console } from '../../console/console.js';
import type { ProgressTask } from '../../console/progress.js';
import type { TrainingRunSpec } from '../../run/training-run.js';
import type { RunState } from '../training/run-state.js';
import type { TrainingObserver } from '../training/training-loop.js';

/** Tells a person or a log what a run does: progress over all its steps, evaluations, and whatever is out of order. */
export function narrate(
  console: Console,
  spec: TrainingRunSpec,
  state: RunState,
  stepsPerEpoch: number,
): TrainingObserver {
  const { log } = console;
  const { iterations, epochs } = spec.schedule;
  let training: ProgressTask | null = null;
  let encoding: ProgressTask | null = null;
  let lastMAP: number | undefined;
  return {
    stepDone: (losses, seconds, images) => {
      training ??= console.startTask({
        name: 'training',
        total: iterations * epochs * stepsPerEpoch,
        unit: 'steps',
      });
      const loss = losses.reduce((sum, term) => sum + term, 0);
      training.update(state.position.globalStep, {
        iteration: `${state.position.iteration + 1}/${iterations}`,
        loss,
        imagesPerSecond: Math.round(images / seconds),
        ...(lastMAP === undefined ? {} : { mAP: lastMAP }),
      });
      if (state.position.globalStep === iterations * epochs * stepsPerEpoch) {
        training.finish();
        training = null;
      }
    },
    encoding: (what, done, total) => {
      encoding ??= console.startTask({ name: what, total, unit: 'images' });
      encoding.update(done);
      if (done === total) {
        encoding.finish();
        encoding = null;
      }
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
    waiting: () => log.warn('too few workers are there; waiting for more'),
  };
}
