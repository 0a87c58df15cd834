import type { Operation } from '../../run/training-run.js';

/** The most of its time that a run may spend on checkpoints between iterations, under `auto`. */
const share = 0.02;
/** Under `auto`, no more often than this, however cheap they are. */
const leastSeconds = 10;
/** Steps that a run may finish after a checkpoint was not written in time, until that checkpoint is durable. */
const mostStepsWithoutDisk = 1000;

/**
 * When a checkpoint inside an iteration is due: after so many steps, or (`auto`) so that writing them takes at most a
 * fiftieth of the time; and how far a run may get ahead of what is durable. Has no clock of its own: times come in, in
 * seconds.
 */
export class CheckpointPace {
  private lastAt: number;
  private lastTook = 0;
  private isWriting = false;
  private durableStep = 0;
  /** Steps finished since the checkpoint that is being written was not written in time; null where it may still be. */
  private stepsWithoutDisk: number | null = null;

  constructor(
    private readonly everySteps: Operation['checkpoint']['everySteps'],
    now: number,
  ) {
    this.lastAt = now;
  }

  /** @param globalStep optimiser steps since the beginning of the run */
  isDue(globalStep: number, now: number): boolean {
    if (this.everySteps === null) return false;
    if (this.everySteps !== 'auto') return globalStep % this.everySteps === 0;
    // One at a time: the next would make the loop wait for this one.
    return !this.isWriting && now - this.lastAt >= Math.max(leastSeconds, this.lastTook / share);
  }

  /**
   * Whether a step may be finished now: after a crash at most `everySteps` would be lost. `auto` does not wait, unless
   * the disk has not answered for long. Asked once for each step.
   * @param globalStep steps since the beginning of the run, this one included
   */
  mayFinish(globalStep: number): boolean {
    if (this.stepsWithoutDisk !== null && ++this.stepsWithoutDisk > mostStepsWithoutDisk) return false;
    return typeof this.everySteps !== 'number' || globalStep - this.durableStep <= this.everySteps;
  }

  /** A checkpoint after so many steps is durable: one that was written, or that the run goes on from. */
  durable(globalStep: number): void {
    this.durableStep = Math.max(this.durableStep, globalStep);
  }

  /** The checkpoint that is being written was not written in time, and was begun anew. */
  stalled(): void {
    this.stepsWithoutDisk ??= 0;
  }

  begun(now: number): void {
    this.lastAt = now;
    this.isWriting = true;
  }

  /** @param seconds that the checkpoint took from its beginning until it was durable */
  written(seconds: number): void {
    // What a disk that did not answer took says nothing of the next.
    if (this.stepsWithoutDisk === null) this.lastTook = seconds;
    this.isWriting = false;
    this.stepsWithoutDisk = null;
  }
}
