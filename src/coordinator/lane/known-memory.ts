import type { WirePrecision } from '../../run/training-run.js';
import { formatOf, type WireVector, wireVector } from '../../transport/wire-vector.js';

/** A vector in memory that both threads know by a number. */
export interface Place {
  readonly memory: number;
  readonly byteOffset: number;
  readonly length: number;
  readonly format: WirePrecision;
}

/** What a thread is told of memory. */
export type MemoryNews =
  | { readonly kind: 'memory'; readonly memory: number; readonly buffer: SharedArrayBuffer }
  | { readonly kind: 'forget'; readonly memory: number };

/**
 * Names shared memory to a thread. Each buffer is sent once: every object that a thread receives for it counts in its
 * garbage collection as so many bytes more.
 */
export class MemoryNames {
  private readonly names = new WeakMap<ArrayBufferLike, number>();
  private readonly gone: FinalizationRegistry<number>;
  private last = 0;

  constructor(private readonly tell: (news: MemoryNews) => void) {
    this.gone = new FinalizationRegistry((memory) => tell({ kind: 'forget', memory }));
  }

  /** @param vector in shared memory */
  placeOf(vector: WireVector): Place {
    const { buffer, byteOffset, length } = vector;
    return { memory: this.nameOf(buffer), byteOffset, length, format: formatOf(vector) };
  }

  private nameOf(buffer: ArrayBufferLike): number {
    const known = this.names.get(buffer);
    if (known !== undefined) return known;
    const memory = ++this.last;
    this.names.set(buffer, memory);
    this.gone.register(buffer, memory);
    this.tell({ kind: 'memory', memory, buffer: buffer as SharedArrayBuffer });
    return memory;
  }
}

/** The memory that a thread knows. */
export class KnownMemory {
  private readonly buffers = new Map<number, SharedArrayBuffer>();

  take(news: MemoryNews): void {
    if (news.kind === 'memory') this.buffers.set(news.memory, news.buffer);
    else this.buffers.delete(news.memory);
  }

  vectorAt({ memory, byteOffset, length, format }: Place): WireVector {
    return wireVector(format, this.buffers.get(memory)!, byteOffset, length);
  }
}
