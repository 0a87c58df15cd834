import { printable } from '../errors.js';
import type { RunEvent } from '../transport/events/run-event.js';
import { type EventView, viewBounds } from './view.js';

/** The last events with their sentences, oldest first. */
export function eventViews(events: readonly RunEvent[]): EventView[] {
  return events.slice(-viewBounds.events).map((event) => {
    const { term, sequence, time, type } = event;
    return { term, sequence, time, type, text: printable(sentenceOf(event)).slice(0, 300) };
  });
}

function sentenceOf(event: RunEvent): string {
  switch (event.type) {
    case 'run.started':
      return 'the run started';
    case 'run.resumed':
      return 'the run was resumed';
    case 'run.paused':
      return 'the run is paused';
    case 'run.continued':
      return 'the run continues';
    case 'run.finished':
      return event.mAP === null ? 'the run finished' : `the run finished with mAP ${event.mAP.toFixed(4)}`;
    case 'run.interrupted':
      return event.checkpoint === null
        ? 'the run was interrupted'
        : `the run was interrupted; checkpoint ${event.checkpoint} is written`;
    case 'run.failed':
      return `the run failed: ${event.reason}`;
    case 'iteration.finished':
      return `iteration ${event.iteration} is trained; ${event.flippedBits} bits of the codes changed`;
    case 'iteration.evaluated':
      return `iteration ${event.iteration} is evaluated: mAP ${event.mAP.toFixed(4)} of ${event.queries} queries`;
    case 'checkpoint.written':
      return `checkpoint ${event.checkpoint} is written`;
    case 'worker.joined':
      return `${event.worker} joined`;
    case 'worker.left':
      return `${event.worker} left: ${event.reason}`;
    case 'worker.refused':
      return `${event.worker} was refused: ${event.reason}`;
    case 'worker.set-aside':
      return `${event.worker} was set aside: ${event.reason}`;
    case 'worker.unreachable':
      return `the coordinator cannot reach ${event.worker}: ${event.reason}`;
    case 'peer.unreachable':
      return `${event.worker} cannot reach ${event.peer}: ${event.reason}`;
  }
}
