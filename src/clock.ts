/**
 * The time source of everything that waits: the system's, or a simulated one in tests. Waiting does not keep the process
 * alive.
 */
export interface Clock {
  /** Milliseconds since an arbitrary time. Never goes back, even when the date changes. */
  nowMs(): number;
  /** The calendar's date. It may jump. */
  date(): Date;
  /** Calls `action` once, after this many milliseconds. @returns cancels it */
  after(ms: number, action: () => void): () => void;
  /** Calls `action` every this many milliseconds. @returns ends it */
  every(ms: number, action: () => void): () => void;
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
};

/** Parts into which {@link whileAwake} divides its time. */
const parts = 50;

/**
 * Calls `action` after `ms` during which this thread's loop turns. Time for which something else has the thread or the
 * processor does not count: what has arrived meanwhile is read first.
 * @returns cancels it
 */
export function whileAwake({ every }: Clock, ms: number, action: () => void): () => void {
  let left = parts;
  const cancel = every(ms / parts, () => {
    left--;
    if (left > 0) return;
    cancel();
    action();
  });
  return cancel;
}

/**
 * Resolves when `work` ends, in success or not, and after `ms` at the latest. Keeps the process alive until then: what
 * the work waits for may be gone, and with it everything else that does. Real time.
 */
export function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    const end = () => {
      clearTimeout(timer);
      resolve();
    };
    work.then(end, end);
  });
}

/** The clock's time in seconds. */
export function secondsOf(clock: Clock): number {
  return clock.nowMs() / 1000;
}
