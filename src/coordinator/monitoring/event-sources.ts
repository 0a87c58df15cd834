import { lossTerms } from '../../reduction/payload.js';
import type { RunEventBody } from '../../transport/events/run-event.js';
import type { WorkerPool } from '../dispatch/pool.js';
import type { RunState } from '../training/run-state.js';
import type { TrainingObserver } from '../training/training-loop.js';

type Publish = (body: RunEventBody) => void;

/** Publishes who comes and goes, and who is not let in. */
export function reportWorkers(pool: WorkerPool, publish: Publish): void {
  pool.on('ready', ({ label }) => publish({ type: 'worker.joined', worker: label }));
  pool.on('gone', ({ label }, { reason }) => publish({ type: 'worker.left', worker: label, reason }));
  pool.on('refused', ({ label }, refusal, reason) =>
    publish({ type: 'worker.refused', worker: label, code: refusal.toUpperCase(), reason }),
  );
  pool.on('turnedAway', (worker, code, reason) => publish({ type: 'worker.refused', worker, code, reason }));
  pool.on('setAside', ({ label }, _, reason) => publish({ type: 'worker.set-aside', worker: label, reason }));
}

/** The observer, with what a run achieves also published. */
export function reportTraining(
  observer: TrainingObserver,
  state: RunState,
  publish: Publish,
): TrainingObserver {
  return {
    ...observer,
    codesUpdated: (iteration, flippedBits, seconds, encodingSeconds) => {
      observer.codesUpdated(iteration, flippedBits, seconds, encodingSeconds);
      const means = state.history.at(-1)!.losses;
      const losses = Object.fromEntries(lossTerms.map((term, index) => [term, means[index]!]));
      publish({ type: 'iteration.finished', iteration, losses, flippedBits, seconds });
    },
    evaluated: (iteration, evaluation, seconds) => {
      observer.evaluated(iteration, evaluation, seconds);
      const { mAP, tieAveragedMAP, queries } = evaluation;
      publish({ type: 'iteration.evaluated', iteration, mAP, tieAveragedMAP, queries });
    },
  };
}
