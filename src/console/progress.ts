import type { Log, LogFields } from './log.js';
import { RateMeter } from './rate.js';

/** One piece of work with a known amount. */
export interface ProgressTask {
  /**
   * @param done how much of the total is done so far
   * @param fields what else to show, the most important first, such as the loss
   * @param pace where the caller knows better than the counts tell
   */
  update(done: number, fields?: LogFields, pace?: Pace): void;
  /** Says why the work stands still, until the next update; this time does not count for its speed. */
  hold(why: string): void;
  finish(): void;
}

/** How fast a task goes on. */
export interface Pace {
  readonly perSecond: number;
  /** Null while it is not known. */
  readonly secondsLeft: number | null;
}

export interface TaskDescription {
  readonly name: string;
  readonly total: number;
  /** What is counted, in the plural: `images`. */
  readonly unit: string;
}

/** Progress as log lines, at most one per task every `everyMs`, and one when it is finished. */
export function loggedTask(
  { name, total, unit }: TaskDescription,
  log: Log,
  nowMs: () => number,
  everyMs = 5000,
): ProgressTask {
  // Begins with the first count, which is not 0 in a run that goes on.
  let meter = new RateMeter();
  let nextMs = nowMs() + everyMs;
  let last: { done: number; fields: LogFields; pace?: Pace } = { done: 0, fields: {} };
  const write = () => {
    log.info('progress', {
      task: name,
      done: last.done,
      total,
      unit,
      perSecond: Number((last.pace?.perSecond ?? meter.perSecond).toFixed(2)),
      secondsLeft: last.pace ? last.pace.secondsLeft : meter.secondsUntil(total),
      ...last.fields,
    });
  };
  return {
    update: (done, fields = {}, pace?: Pace) => {
      last = { done, fields, pace };
      const now = nowMs();
      meter.record(done, now);
      if (now >= nextMs) {
        nextMs = now + everyMs;
        write();
      }
    },
    hold: () => {
      meter = new RateMeter();
    },
    finish: write,
  };
}

/** `75` → `1m15s`; null → `-`. */
export function readableDuration(seconds: number | null): string {
  if (seconds === null) {
    return '-';
  }
  const whole = Math.round(seconds);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = `${whole % 60}s`;
  return hours > 0 ? `${hours}h${minutes}m` : minutes > 0 ? `${minutes}m${rest}` : rest;
}
