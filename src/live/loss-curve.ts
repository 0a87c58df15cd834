import { shortNumber } from './short-number.js';
import { type LossCurveView, viewBounds } from './view.js';

/**
 * Losses by step in bounded memory. When the points are full, each two become their mean, and a point holds twice as
 * many steps from then on.
 */
export class LossCurve {
  private stepsPerPoint = 1;
  private steps: number[] = [];
  /** `[terms][points]` */
  private values: number[][];
  /** Sums of the steps of the point that is not full, `[terms]`. */
  private sums: number[];
  private summed = 0;
  private lastStep = 0;

  /** @param mostPoints an even number */
  constructor(
    private readonly terms: readonly string[],
    private readonly mostPoints: number = viewBounds.lossPoints,
  ) {
    this.values = terms.map(() => []);
    this.sums = terms.map(() => 0);
  }

  /**
   * @param step finished steps of the run, this one included
   * @param losses `[terms]`
   */
  add(step: number, losses: ArrayLike<number>): void {
    this.sums.forEach((_, term) => {
      this.sums[term]! += losses[term]!;
    });
    this.summed++;
    this.lastStep = step;
    if (this.summed < this.stepsPerPoint) return;
    this.finishPoint();
    if (this.steps.length >= this.mostPoints) this.halve();
  }

  view(): LossCurveView {
    return {
      steps: [...this.steps],
      stepsPerPoint: this.stepsPerPoint,
      terms: Object.fromEntries(this.terms.map((term, at) => [term, this.values[at]!.map(shortNumber)])),
    };
  }

  private finishPoint(): void {
    this.steps.push(this.lastStep);
    this.values.forEach((values, term) => {
      values.push(this.sums[term]! / this.summed);
    });
    this.sums.fill(0);
    this.summed = 0;
  }

  private halve(): void {
    const isSecond = (_: unknown, at: number) => at % 2 === 1;
    this.steps = this.steps.filter(isSecond);
    this.values = this.values.map((values) =>
      values.map((value, at) => (value + (values[at - 1] ?? value)) / 2).filter(isSecond),
    );
    this.stepsPerPoint *= 2;
  }
}

/** A curve without a step. */
export const noLosses: LossCurveView = { steps: [], stepsPerPoint: 1, terms: {} };
