import { diskWatch } from '../disk/watch.js';
import type { Log } from './log.js';

/** Lets a log say which file operations of this process do not answer; the last log that was given says it. */
export function warnOfOverdue(log: Log): void {
  diskWatch.onOverdue = (overdue) => log.warn('the disk does not answer', { ...overdue });
}
