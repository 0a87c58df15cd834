import type { Method } from '../../methods/methods.js';
import { lossesByTerm } from '../../model/loss.js';
import type { RunEventBody } from '../../transport/events/run-event.js';
import type { RunState } from '../training/run-state.js';
import type { CoordinatorEvent, Subscriber } from './coordinator-event.js';

/** Publishes the events of a run's progress. `Coordination` publishes its start and its end. */
export function publishedEvents(
  method: Method,
  state: Pick<RunState, 'history'>,
  publish: (body: RunEventBody) => void,
): Subscriber {
  return (event) => {
    const body = bodyOf(method, event, state);
    if (body) publish(body);
  };
}

/** The published form of an event; null when it is not published. */
function bodyOf(
  method: Method,
  event: CoordinatorEvent,
  state: Pick<RunState, 'history'>,
): RunEventBody | null {
  switch (event.type) {
    case 'codes.updated': {
      const { iteration, flippedBits, seconds } = event;
      const losses = lossesByTerm(method, state.history.at(-1)!.losses);
      return { type: 'iteration.finished', iteration, losses, flippedBits, seconds };
    }
    case 'evaluated': {
      const { mAP, tieAveragedMAP, queries } = event.evaluation;
      return { type: 'iteration.evaluated', iteration: event.iteration, mAP, tieAveragedMAP, queries };
    }
    case 'checkpoint.written': {
      const { name, bytes, seconds } = event;
      return { type: 'checkpoint.written', checkpoint: name, bytes, seconds };
    }
    case 'paused':
      return { type: event.isPaused ? 'run.paused' : 'run.continued' };
    case 'worker.joined':
      return { type: 'worker.joined', worker: event.member.label };
    case 'worker.left':
      return { type: 'worker.left', worker: event.member.label, reason: event.departure.reason };
    case 'worker.refused':
      return { type: 'worker.refused', worker: event.name, code: event.code, reason: event.sentence };
    case 'worker.set-aside':
      return { type: 'worker.set-aside', worker: event.member.label, reason: event.sentence };
    case 'worker.unreachable':
      return { type: 'worker.unreachable', worker: event.member.label, reason: event.reason };
    case 'peer.unreachable': {
      const { member, peer, reason } = event;
      return { type: 'peer.unreachable', worker: member.label, peer: peer.label, reason };
    }
    case 'answer.rejected': {
      const code = event.reason.toUpperCase();
      return { type: 'worker.refused', worker: event.member.label, code, reason: event.sentence };
    }
    default:
      return null;
  }
}
