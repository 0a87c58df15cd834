import type { GradientMemory } from '../model/gradient-sums.js';
import type { WirePrecision } from '../run/training-run.js';
import { narrow } from '../transport/narrow.js';
import { TransferMemory } from '../transport/transfer-memory.js';
import { type WireVector, wireBytes } from '../transport/wire-vector.js';

/**
 * Unused arrays that are kept. In float32, one gradient in computation and one that waits to be summed with it. In
 * bfloat16, one in computation and two that are summed. Deep trees sometimes hold more.
 */
const keptArrays = { float32: 2, bfloat16: 3 } as const;

/** Memory of a worker for gradients of one length. */
export class WorkerGradients implements GradientMemory {
  private readonly memory: TransferMemory;

  constructor(
    private readonly length: number,
    private readonly precision: WirePrecision,
  ) {
    this.memory = new TransferMemory({ arrays: keptArrays[precision] });
  }

  take(): Float32Array<ArrayBuffer> {
    return new Float32Array(this.memory.take(wireBytes('float32', this.length)).buffer);
  }

  onWire(gradient: Float32Array): WireVector {
    const { length, precision, memory } = this;
    if (precision === 'float32') return gradient;
    const rounded = new Uint16Array(memory.take(wireBytes(precision, length)).buffer);
    narrow(gradient, rounded);
    this.give(gradient);
    return rounded;
  }

  give({ buffer }: WireVector): void {
    this.memory.give(buffer);
  }
}
