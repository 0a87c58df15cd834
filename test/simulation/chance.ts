import { KeyedRandom, Purpose } from '../../src/data/random.js';

/** A source of chance: a seed decides everything that is drawn, in the order in which it is drawn. */
export class Chance {
  private readonly random: KeyedRandom;
  private draws = 0;

  /** @param stream streams of one seed are independent of each other */
  constructor(
    seed: number,
    private readonly stream = 0,
  ) {
    this.random = new KeyedRandom(seed);
  }

  /** From 0 to 1. */
  unit(): number {
    return this.random.unit(Purpose.order, this.stream, 0, this.draws++);
  }

  /** An integer from 0 to `count` - 1. */
  below(count: number): number {
    return Math.floor(this.unit() * count);
  }

  between(least: number, most: number): number {
    return least + this.unit() * (most - least);
  }

  happens(probability: number): boolean {
    return this.unit() < probability;
  }

  pick<Value>(values: readonly Value[]): Value {
    return values[this.below(values.length)]!;
  }
}
