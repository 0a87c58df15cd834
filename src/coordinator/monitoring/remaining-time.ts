import type { RunPosition } from '../../checkpoint/manifest.js';
import { type EvaluationSchedule, evaluationIsDue } from '../../schedule/schedule.js';

/** Number of recent step times that are kept. */
const window = 64;

/**
 * Estimates how long a run still takes. For each kind of work, it multiplies the number that is left by the recent time of
 * one. A kind that was not measured yet counts 0 s. Every evaluation counts as much as the last one, also when it has
 * fewer queries.
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

  /** The rate during steps, without evaluations and waiting. 0 before the first step was measured. */
  get stepsPerSecond(): number {
    const usual = median(this.stepSeconds);
    return usual === null || usual === 0 ? 0 : 1 / usual;
  }

  /** Seconds from a position to the end of the run; null before the first step was measured. */
  secondsFrom({ iteration, phase, globalStep }: RunPosition): number | null {
    const { iterations, epochs } = this.spec.schedule;
    // A median, so that a step that waited for workers does not change the estimate.
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
