import { mergePacked } from '../../model/packed-moments.js';
import { addInto } from '../../reduction/gradient-vectors.js';
import type { WirePrecision } from '../../run/training-run.js';
import { bytesOf } from '../../transport/bytes.js';
import { TransportError } from '../../transport/error.js';
import { type WireVector, wireBytes } from '../../transport/wire-vector.js';
import type { ElementRange } from './ranges.js';

/** What the exchange adds of a node: its gradient, and behind it its moments, packed, as words of the same size. */
export class NodeVector {
  readonly precision: WirePrecision;
  /** Elements of both. */
  readonly length: number;
  private readonly gradientCount: number;
  /** Words of a float64. */
  private readonly doubleWords: number;
  /** Where the blocks of the moments begin and end, in elements. */
  private readonly blocks: readonly number[];

  constructor(shape: {
    readonly precision: WirePrecision;
    readonly gradientCount: number;
    readonly momentBlocks: readonly number[];
  }) {
    const { precision, gradientCount, momentBlocks } = shape;
    this.precision = precision;
    this.gradientCount = gradientCount;
    this.doubleWords = Float64Array.BYTES_PER_ELEMENT / wireBytes(precision, 1);
    this.blocks = momentBlocks.map((block) => gradientCount + block * this.doubleWords);
    this.length = this.blocks.at(-1) ?? gradientCount;
  }

  /** @throws TransportError TRANSPORT_BAD_MESSAGE unless the range is of the gradient, or has whole blocks of moments */
  check({ start, end }: ElementRange): void {
    const { blocks, gradientCount } = this;
    if (end <= gradientCount || (blocks.includes(start) && blocks.includes(end))) return;
    throw new TransportError(
      'TRANSPORT_BAD_MESSAGE',
      `a plan of an exchange names elements ${start} to ${end}, expected a part of the first ${gradientCount}, or whole blocks of moments behind them`,
    );
  }

  /** How two parts of a range are added: the right one to the left one, which is at the start of an aligned buffer. */
  adderOf({ start, end }: ElementRange): (left: WireVector, right: WireVector) => void {
    if (start < this.gradientCount) return addInto;
    const own = this.blocks.filter((block) => block >= start && block <= end);
    const blocks = own.map((block) => (block - start) / this.doubleWords);
    return (left, right) => mergePacked(doublesOf(left), doublesOf(right), blocks);
  }
}

/** The float64 numbers in a vector of words. Copied where it is not aligned. */
function doublesOf(words: WireVector): Float64Array {
  const isAligned = words.byteOffset % Float64Array.BYTES_PER_ELEMENT === 0;
  const bytes = isAligned ? bytesOf(words) : bytesOf(words).slice();
  return new Float64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / Float64Array.BYTES_PER_ELEMENT);
}
