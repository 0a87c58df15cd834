import type { Log, LogFields } from './log.js';
import { RateMeter } from './rate.js';

/** One piece of work with a known total. */
export interface ProgressTask {
  /**
   * @param done amount done so far
   * @param fields further values to show, the most important first, such as the loss
   * @param pace if the caller knows it better than the counts do
   */
  update(done: number, fields?: LogFields, pace?: Pace): void;
  /** Shows why the work is on hold, until the next update. This time does not count for its speed. */
  hold(why: string): void;
  finish(): void;
}

/** Speed of a task. */
export interface Pace {
  readonly perSecond: number;
  /** Null while it is unknown. */
  readonly secondsLeft: number | null;
}

export interface TaskDescription {
  readonly name: string;
  readonly total: number;
  /** The counted unit in plural: `images`. */
  readonly unit: string;
}

/** Progress as log lines: at most one per task every `everyMs`, and one at the end. */
export function loggedTask(
  { name, total, unit }: TaskDescription,
  log: Log,
  nowMs: () => number,
  everyMs = 5000,
): ProgressTask {
  // Starts with the first count, which is not 0 in a resumed run.
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
