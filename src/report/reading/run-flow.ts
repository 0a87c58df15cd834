import type { RunEvent } from '../../transport/events/run-event.js';

/** Something that happened to a run, for its table. */
export interface Happening {
  /** Seconds since the run's first event. */
  readonly seconds: number;
  readonly term: number;
  readonly sentence: string;
  /** Whether something went wrong. */
  readonly isFault: boolean;
}

/** What happened to a run besides its training. */
export interface RunFlow {
  /** Time of the first event, ISO 8601. */
  readonly begun: string;
  /** Seconds from the first event to the last, pauses and interruptions included. */
  readonly seconds: number;
  /** Workers from a moment on: [seconds, workers]. */
  readonly workers: readonly (readonly [seconds: number, workers: number])[];
  /** Coordinators that led the run, one after another. */
  readonly terms: number;
  readonly checkpoints: number;
  readonly happenings: readonly Happening[];
}

/**
 * Describes what a run's events say of workers, coordinators and faults; null without events.
 * @param events in their order, as `readEvents` gives them
 */
export function runFlow(events: readonly RunEvent[]): RunFlow | null {
  const first = events[0];
  if (first === undefined) return null;
  const begunMs = Date.parse(first.time);
  const since = ({ time }: RunEvent) => Math.max(0, (Date.parse(time) - begunMs) / 1000);
  const workers: [number, number][] = [[0, 0]];
  let term = first.term;
  for (const event of events) {
    const present = workers.at(-1)![1];
    // A coordinator begins without the workers of the one before it.
    if (event.term !== term && present > 0) workers.push([since(event), 0]);
    term = event.term;
    if (event.type === 'worker.joined') workers.push([since(event), workers.at(-1)![1] + 1]);
    const isOver = event.type === 'run.interrupted' || event.type === 'run.failed';
    if (isOver && present > 0) workers.push([since(event), 0]);
    if (event.type === 'worker.left') workers.push([since(event), Math.max(0, workers.at(-1)![1] - 1)]);
  }
  const seconds = since(events.at(-1)!);
  workers.push([seconds, workers.at(-1)![1]]);
  return {
    begun: first.time,
    seconds,
    workers,
    terms: new Set(events.map((event) => event.term)).size,
    checkpoints: events.filter(({ type }) => type === 'checkpoint.written').length,
    happenings: events.flatMap((event) => {
      const found = sentenceOf(event);
      return found === null ? [] : [{ seconds: since(event), term: event.term, ...found }];
    }),
  };
}

/** Null for the events of the training itself. */
function sentenceOf(event: RunEvent): Pick<Happening, 'sentence' | 'isFault'> | null {
  const usual = (sentence: string) => ({ sentence, isFault: false });
  const fault = (sentence: string) => ({ sentence, isFault: true });
  switch (event.type) {
    case 'run.started':
      return usual('The run started.');
    case 'run.resumed':
      return usual(`A coordinator resumed the run after step ${event.position.globalStep}.`);
    case 'run.paused':
      return usual('The run paused.');
    case 'run.continued':
      return usual('The run continued.');
    case 'run.finished':
      return usual('The run finished.');
    case 'run.interrupted':
      return fault(`The run was interrupted, with checkpoint ${event.checkpoint ?? 'none'}.`);
    case 'run.failed':
      return fault(`The run failed: ${event.reason}`);
    case 'worker.joined':
      return usual(`${subjectOf(event)} joined.`);
    case 'worker.left':
      return usual(`${subjectOf(event)} left: ${event.reason}`);
    case 'worker.refused':
      return fault(`${subjectOf(event)} was refused: ${event.reason}`);
    case 'worker.set-aside':
      return fault(`${subjectOf(event)} was set aside: ${event.reason}`);
    case 'worker.unreachable':
      return fault(`the coordinator cannot reach ${event.worker}: ${event.reason}`);
    case 'peer.unreachable':
      return fault(`${subjectOf(event)} cannot reach ${event.peer}: ${event.reason}`);
    case 'iteration.finished':
    case 'iteration.evaluated':
    case 'checkpoint.written':
      return null;
  }
}

/** The worker at the beginning of a sentence: labels begin with the word in lower case. */
function subjectOf({ worker }: { readonly worker: string }): string {
  return worker.replace(/^worker /, 'Worker ');
}
