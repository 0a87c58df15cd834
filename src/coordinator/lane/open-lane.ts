import type { CoordinatorError } from '../error.js';
import { DirectLane } from './direct-lane.js';
import type { Lane } from './lane.js';
import { ThreadLane } from './thread-lane.js';

/** Bytes of a vector from which a thread takes more away from the loop than it costs. */
const leastBytes = 4 << 20;

/**
 * The lane for weights of so many parameters.
 * @param onFailed called when it ends before it is closed
 */
export function openLane(parameterCount: number, onFailed: (error: CoordinatorError) => void): Lane {
  return 4 * parameterCount < leastBytes ? new DirectLane() : new ThreadLane(onFailed);
}
