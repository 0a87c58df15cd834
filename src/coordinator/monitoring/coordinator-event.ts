import type { CheckpointEvent } from '../checkpoints/checkpoint-event.js';
import type { Member } from '../dispatch/member.js';
import type { Departure, Fault, RejectionReason, WorkerPool } from '../dispatch/pool.js';
import type { TrainingEvent } from '../training/training-event.js';

/** Who comes and goes, and what is not accepted. */
export type WorkerEvent =
  | { readonly type: 'worker.joined'; readonly member: Member }
  | { readonly type: 'worker.left'; readonly member: Member; readonly departure: Departure }
  /** A connection or a hello was refused. */
  | {
      readonly type: 'worker.refused';
      readonly name: string;
      readonly code: string;
      readonly sentence: string;
    }
  | {
      readonly type: 'worker.set-aside';
      readonly member: Member;
      readonly fault: Fault;
      readonly sentence: string;
    }
  | {
      readonly type: 'answer.rejected';
      readonly member: Member;
      readonly reason: RejectionReason;
      readonly sentence: string;
    };

/** Everything that the outside is told about a run: the log, metrics and published events are its subscribers. */
export type CoordinatorEvent =
  | TrainingEvent
  | CheckpointEvent
  | WorkerEvent
  /** The run holds because it was asked to, or goes on. */
  | { readonly type: 'paused'; readonly isPaused: boolean };

export type Subscriber = (event: CoordinatorEvent) => void;

/** Turns what the pool emits into events. */
export function forwardWorkerEvents(pool: WorkerPool, notify: Subscriber): void {
  pool.on('ready', (member) => notify({ type: 'worker.joined', member }));
  pool.on('gone', (member, departure) => notify({ type: 'worker.left', member, departure }));
  pool.on('workerRefused', (name, code, sentence) =>
    notify({ type: 'worker.refused', name, code, sentence }),
  );
  pool.on('setAside', (member, fault, sentence) =>
    notify({ type: 'worker.set-aside', member, fault, sentence }),
  );
  pool.on('answerRejected', (member, reason, sentence) =>
    notify({ type: 'answer.rejected', member, reason, sentence }),
  );
}
