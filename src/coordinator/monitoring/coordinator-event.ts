import type { CheckpointEvent } from '../checkpoints/checkpoint-event.js';
import type { Member } from '../dispatch/member.js';
import type { Departure, Fault, RejectionReason, WorkerPool } from '../dispatch/pool.js';
import type { TrainingEvent } from '../training/training-event.js';

/** Workers that join, leave or are refused, and rejected answers. */
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
  /** The coordinator cannot reach a worker. Its ranges go over its own stream. */
  | { readonly type: 'worker.unreachable'; readonly member: Member; readonly reason: string }
  | { readonly type: 'worker.reached'; readonly member: Member }
  /** A worker cannot reach another one. What is for it goes through the coordinator. */
  | {
      readonly type: 'peer.unreachable';
      readonly member: Member;
      readonly peer: Member;
      readonly reason: string;
    }
  | { readonly type: 'peer.reached'; readonly member: Member; readonly peer: Member }
  | {
      readonly type: 'answer.rejected';
      readonly member: Member;
      readonly reason: RejectionReason;
      readonly sentence: string;
    };

/** Every event of a run. The log, the metrics and the published events subscribe to them. */
export type CoordinatorEvent =
  | TrainingEvent
  | CheckpointEvent
  | WorkerEvent
  /** The run was paused or continued on request. */
  | { readonly type: 'paused'; readonly isPaused: boolean };

export type Subscriber = (event: CoordinatorEvent) => void;

/** Passes the pool's events on as events of the run. */
export function forwardWorkerEvents(pool: WorkerPool, notify: Subscriber): void {
  pool.on('ready', (member) => notify({ type: 'worker.joined', member }));
  pool.on('gone', (member, departure) => notify({ type: 'worker.left', member, departure }));
  pool.on('workerRefused', (name, code, sentence) =>
    notify({ type: 'worker.refused', name, code, sentence }),
  );
  pool.on('setAside', (member, fault, sentence) =>
    notify({ type: 'worker.set-aside', member, fault, sentence }),
  );
  pool.on('unreachable', (member, reason) => notify({ type: 'worker.unreachable', member, reason }));
  pool.on('reached', (member) => notify({ type: 'worker.reached', member }));
  pool.on('peerUnreachable', (member, peer, reason) =>
    notify({ type: 'peer.unreachable', member, peer, reason }),
  );
  pool.on('peerReached', (member, peer) => notify({ type: 'peer.reached', member, peer }));
  pool.on('answerRejected', (member, reason, sentence) =>
    notify({ type: 'answer.rejected', member, reason, sentence }),
  );
}
