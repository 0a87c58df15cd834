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
   * @param maxNorm Euclidean norm that a gradient may have, else it is clipped; null for any
   */
  constructor(
    private readonly lane: Lane,
    private readonly from: TrainedVectors,
    readonly into: TrainedVectors,
    private readonly scalars: SgdScalars,
    private readonly maxNorm: number | null,
  ) {}

  /** Whether a range is what it will be before the whole gradient is there. */
  get isRangewise(): boolean {
    return this.maxNorm === null;
  }

  /**
   * Computes the elements from `start` on, as many as the gradient has.
   * @param source as of {@link Advance}
   */
  advance(
    start: number,
    gradient: WireVector,
    sending: Advance['sending'],
    source: Advance['source'] = null,
  ): Promise<Advanced> {
    const { lane, from, into, scalars } = this;
    const end = start + gradient.length;
    return lane.advance({
      from: cut(from, start, end),
      into: cut(into, start, end),
      gradient,
      source,
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

  /**
   * Computes all elements again where the whole gradient is longer than it may be, from the clipped one: it is multiplied by
   * maxNorm / (norm + 10⁻⁶), as PyTorch does.
   * @param gradient from which all elements were computed
   * @returns its norm; null where none is looked at
   */
  async clip(gradient: WireVector): Promise<number | null> {
    const { lane, from, into, scalars, maxNorm } = this;
    if (maxNorm === null) return null;
    const norm = await lane.norm(gradient);
    const gradientScale = maxNorm / (norm + 1e-6);
    if (gradientScale < 1) {
      await lane.advance({
        ...{ from, into, gradient, source: null },
        ...{ scalars: { ...scalars, gradientScale }, sending: null },
      });
    }
    return norm;
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
