import type { Clock } from '../../clock.js';
import type { CoordinatorError } from '../error.js';
import type { OutgoingWeights } from './outgoing-weights.js';
import type { WorkerPool } from './pool.js';
import type { WorkEvent } from './work-event.js';

/** What a piece of work is carried out in. */
export interface WorkSurroundings {
  readonly pool: WorkerPool;
  readonly clock: Clock;
  /** Called with each event of the work. */
  readonly notify: (event: WorkEvent) => void;
  readonly signal: AbortSignal;
  /** Sends new weights to all workers at once, where they pass them on to one another. */
  readonly distribute?: (weights: OutgoingWeights) => void;
  /** Called when answers contradict each other after one of them was used. */
  readonly onLateContradiction: (error: CoordinatorError) => void;
}
