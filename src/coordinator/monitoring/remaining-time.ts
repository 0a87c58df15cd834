import type { RunPosition } from '../../checkpoint/manifest.js';
import { type EvaluationSchedule, evaluationIsDue } from '../../schedule/schedule.js';

/** Steps whose times are remembered. */
const window = 64;

/**
 * Estimates how long a run still takes: what is left of each kind of work, times what that kind took lately. A kind that
 * was not measured yet counts as nothing, and an evaluation on fewer queries than the last one's as much as any.
 */
export class RemainingTime {
  private readonly stepSeconds: number[] = [];
  private vStepSeconds = 0;
  private evaluationSeconds = 0;

  constructor(
    private readonly spec: EvaluationSchedule,
    private readonly stepsPerEpoch: number,
  ) {}

  stepDone(seconds: number): void {
    this.stepSeconds.push(seconds);
    if (this.stepSeconds.length > window) this.stepSeconds.shift();
  }

  /** @param seconds of a V-step and of encoding the sampled images before it */
  codesUpdated(seconds: number): void {
    this.vStepSeconds = seconds;
  }

  evaluated(seconds: number): void {
    this.evaluationSeconds = seconds;
  }

  /** While steps are done: evaluations and waiting do not count. 0 before the first step was measured. */
  get stepsPerSecond(): number {
    const usual = median(this.stepSeconds);
    return usual === null || usual === 0 ? 0 : 1 / usual;
  }

  /** Seconds from a position to the end of the run; null before the first step was measured. */
  secondsFrom({ iteration, phase, globalStep }: RunPosition): number | null {
    const { iterations, epochs } = this.spec.schedule;
    // The median: a step that waited for workers says nothing about the next ones.
    const usual = median(this.stepSeconds);
    if (usual === null) return null;
    const steps = iterations * epochs * this.stepsPerEpoch - globalStep;
    const vSteps = iterations - iteration - (phase === 'evaluate' ? 1 : 0);
    let evaluations = 0;
    for (let next = iteration; next < iterations; next++) {
      if (evaluationIsDue(this.spec, next)) evaluations++;
    }
    return steps * usual + vSteps * this.vStepSeconds + evaluations * this.evaluationSeconds;
  }
}

function median(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? null;
}
