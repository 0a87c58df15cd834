import { diskWatch } from '../disk/watch.js';
import type { Log } from './log.js';

/** Makes a log report file operations of this process that do not answer. Only the last log is used. */
export function warnOfOverdue(log: Log): void {
  diskWatch.onOverdue = (overdue) => log.warn('the disk does not answer', { ...overdue });
}
