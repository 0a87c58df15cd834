import { type KeyedRandom, Purpose } from '../random.js';

/** The random integers of one picture, in the order in which the painter uses them. */
export class Draws {
  private readonly block = new Uint32Array(4);
  private count = 0;

  /** @param subject,picture identify the picture in a dataset */
  constructor(
    readonly random: KeyedRandom,
    readonly subject: number,
    readonly picture: number,
  ) {}

  /** An integer from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + (this.word() % (high - low + 1));
  }

  /** An unsigned 32-bit integer. */
  word(): number {
    const place = this.count % 4;
    if (place === 0) {
      this.random.block(Purpose.synthetic, this.subject, this.picture, this.count / 4, this.block);
    }
    this.count += 1;
    return this.block[place]!;
  }
}
