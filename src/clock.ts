import { setTimeout as sleepFor } from 'node:timers/promises';

/**
 * Time, as it is given to whatever waits: the system's, or a simulated one in tests. No timer of it but `sleep` keeps the
 * process alive.
 */
export interface Clock {
  /** Milliseconds since some moment. Never goes back, whatever happens to the date. */
  nowMs(): number;
  /** What the calendar says. May jump. */
  date(): Date;
  /** Calls `action` once, after so many milliseconds. @returns how to call it off */
  after(ms: number, action: () => void): () => void;
  /** Calls `action` every so many milliseconds. @returns how to end it */
  every(ms: number, action: () => void): () => void;
  sleep(ms: number): Promise<void>;
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  date: () => new Date(),
  after: (ms, action) => {
    const timer = setTimeout(action, ms).unref();
    return () => clearTimeout(timer);
  },
  every: (ms, action) => {
    const timer = setInterval(action, ms).unref();
    return () => clearInterval(timer);
  },
  sleep: (ms) => sleepFor(ms),
};

/** The clock's time in seconds. */
export function secondsOf(clock: Clock): number {
  return clock.nowMs() / 1000;
}
