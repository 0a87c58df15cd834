import type { WireVector } from '../../transport/wire-vector.js';
import type { Advance, Advanced, Lane } from './lane.js';
import type { SgdScalars, TrainedVectors } from './sgd.js';

/**
 * What a running step makes of the trained vectors, computed beside them, range by range and in any order. A range that
 * is computed again replaces the earlier one. When every range is there, the state takes {@link into}.
 */
export class StepUpdate {
  /**
   * @param from before the step; does not change while it runs
   * @param into after the step; as long as `from`
   */
  constructor(
    private readonly lane: Lane,
    private readonly from: TrainedVectors,
    readonly into: TrainedVectors,
    private readonly scalars: SgdScalars,
  ) {}

  /** Computes the elements from `start` on, as many as the gradient has. */
  advance(start: number, gradient: WireVector, sending: Advance['sending']): Promise<Advanced> {
    const { lane, from, into, scalars } = this;
    const end = start + gradient.length;
    return lane.advance({
      from: cut(from, start, end),
      into: cut(into, start, end),
      gradient,
      scalars,
      sending,
    });
  }

  /** As `Lane.hash`. */
  hash(gradient: WireVector, begins: boolean): void {
    this.lane.hash(gradient, begins);
  }

  /** SHA-256 (hex) of what was hashed. */
  digest(): Promise<string> {
    return this.lane.digest();
  }

  /** Computes all elements from the whole gradient. @returns the gradient's SHA-256 (hex) */
  async whole(gradient: WireVector): Promise<string> {
    this.hash(gradient, true);
    const [sha256] = await Promise.all([this.digest(), this.advance(0, gradient, null)]);
    return sha256;
  }
}

function cut({ parameters, buffer }: TrainedVectors, start: number, end: number): TrainedVectors {
  return { parameters: parameters.subarray(start, end), buffer: buffer.subarray(start, end) };
}
