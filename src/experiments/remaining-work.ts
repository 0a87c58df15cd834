import { forwardAdvantage } from '../estimate/duration.js';
import type { RunWork } from '../estimate/work.js';

/** Work of a run in images forward and backward; an image forward only counts as a third. */
export function workOf({ trainedImages, encodedImages }: RunWork): number {
  return trainedImages + encodedImages / forwardAdvantage;
}

/**
 * How long the runs of an experiment still take, from the speed of those that this process has carried out. It has no
 * clock: times come with the events.
 */
export class RemainingWork {
  private readonly left: Map<string, number>;
  private seconds = 0;
  private done = 0;
  private current: {
    name: string;
    work: number;
    startedMs: number;
    share: number;
    firstShare: number | null;
  } | null = null;

  /** @param runs those that have no result, by name, with their work */
  constructor(runs: ReadonlyMap<string, number>) {
    this.left = new Map(runs);
  }

  begin(name: string, nowMs: number): void {
    this.current = { name, work: this.left.get(name) ?? 0, startedMs: nowMs, share: 0, firstShare: null };
  }

  /** @param share of the current run that is done. The first share of a resumed run was done before. */
  progress(share: number): void {
    if (!this.current) return;
    this.current.firstShare ??= share;
    this.current.share = share;
  }

  /** @param hasFinished whether the current run has done all its work */
  end(hasFinished: boolean, nowMs: number): void {
    if (!this.current) return;
    const { name, work, startedMs, firstShare } = this.current;
    if (hasFinished) {
      this.seconds += (nowMs - startedMs) / 1000;
      this.done += work * (1 - (firstShare ?? 0));
    }
    this.left.delete(name);
    this.current = null;
  }

  /** Seconds until everything is done; null while no speed is known. */
  secondsLeft(nowMs: number): number | null {
    const { current } = this;
    const total = [...this.left.values()].reduce((sum, work) => sum + work, 0);
    const fresh = current ? current.work * (current.share - (current.firstShare ?? 0)) : 0;
    const seconds = this.seconds + (current ? (nowMs - current.startedMs) / 1000 : 0);
    const done = this.done + fresh;
    if (done <= 0 || seconds <= 0) return null;
    return ((total - (current ? current.work * current.share : 0)) * seconds) / done;
  }
}
