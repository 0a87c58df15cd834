import type { ProgressTask } from './progress.js';

/** Work that is seldom long is not worth a bar before it has taken so long. */
const lateMs = 2_000;

/**
 * Progress of work that takes moments as a rule: a task begins only when the work has gone on for a while.
 *
 * @param start begins the task, given the total
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
