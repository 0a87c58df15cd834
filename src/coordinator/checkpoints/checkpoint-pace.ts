import type { Operation } from '../../run/training-run.js';

/** Largest share of its time that a run spends on checkpoints inside iterations, under `auto`. */
const share = 0.02;
/** Shortest interval under `auto`, however fast checkpoints are. */
const leastSeconds = 10;
/** Steps that a run may finish after a late checkpoint, until that checkpoint is durable. */
const mostStepsWithoutDisk = 1000;

/**
 * Decides when a checkpoint inside an iteration is due: after a number of steps, or (`auto`) so that writing takes at
 * most a fiftieth of the time. Also limits how far a run may get ahead of its durable state. It has no clock: callers
 * pass times in seconds.
 */
export class CheckpointPace {
  private lastAt: number;
  private lastTook = 0;
  private isWriting = false;
  private durableStep = 0;
  /** Steps finished since the running checkpoint was late; null while it is not late. */
  private stepsWithoutDisk: number | null = null;

  constructor(
    private readonly everySteps: Operation['checkpoint']['everySteps'],
    now: number,
  ) {
    this.lastAt = now;
  }

  /** @param globalStep optimiser steps since the start of the run */
  isDue(globalStep: number, now: number): boolean {
    if (this.everySteps === null) return false;
    if (this.everySteps !== 'auto') return globalStep % this.everySteps === 0;
    // One at a time: the next one would make the loop wait for this one.
    return !this.isWriting && now - this.lastAt >= Math.max(leastSeconds, this.lastTook / share);
  }

  /**
   * Whether a step may be finished now: a crash must lose at most `everySteps` steps. `auto` does not wait, unless the
   * disk has not answered for long. Call it once for each step.
   * @param globalStep steps since the start of the run, this one included
   */
  mayFinish(globalStep: number): boolean {
    if (this.stepsWithoutDisk !== null && ++this.stepsWithoutDisk > mostStepsWithoutDisk) return false;
    return typeof this.everySteps !== 'number' || globalStep - this.durableStep <= this.everySteps;
  }

  /** A checkpoint after this many steps is durable: it was written, or the run was resumed from it. */
  durable(globalStep: number): void {
    this.durableStep = Math.max(this.durableStep, globalStep);
  }

  /** The running checkpoint was late and was started again. */
  stalled(): void {
    this.stepsWithoutDisk ??= 0;
  }

  begun(now: number): void {
    this.lastAt = now;
    this.isWriting = true;
  }

  /** @param seconds from the checkpoint's start until it was durable */
  written(seconds: number): void {
    // The time of a disk that did not answer does not predict the next time.
    if (this.stepsWithoutDisk === null) this.lastTook = seconds;
    this.isWriting = false;
    this.stepsWithoutDisk = null;
  }
}
