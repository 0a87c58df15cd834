import type { ProgressTask } from './progress.js';

/** Time before a usually short task shows progress. */
const lateMs = 2_000;

/**
 * Progress of usually short work: a task starts only when the work has taken some time.
 * @param start starts the task, given the total
 */
export function lateProgress(
  start: (total: number) => ProgressTask,
  nowMs: () => number = () => performance.now(),
): (done: number, total: number) => void {
  const begunMs = nowMs();
  let task: ProgressTask | null = null;
  return (done, total) => {
    if (task === null && nowMs() - begunMs < lateMs) return;
    task ??= start(total);
    task.update(done);
    if (done === total) task.finish();
  };
}
