/**
 * Float32 arrays for reuse, by exact length: the shapes of a network repeat at every step, and new arrays cost page
 * faults and garbage collection. At most `limitBytes` are kept. Beyond that, arrays of the least recently used length
 * are released.
 */
export class BufferPool {
  /** Insertion order is order of last use. */
  private readonly waiting = new Map<number, Float32Array[]>();
  private bytes = 0;

  /** @param allocate makes an array of the given length; its content is undefined */
  constructor(
    private readonly allocate: (length: number) => Float32Array,
    private readonly limitBytes: number,
  ) {}

  /** Bytes of the unused arrays. */
  get waitingBytes(): number {
    return this.bytes;
  }

  /** An array of `length` values. Its content is undefined. */
  take(length: number): Float32Array {
    const array = this.waiting.get(length)?.pop();
    if (array === undefined) {
      return this.allocate(length);
    }
    this.bytes -= array.byteLength;
    return array;
  }

  /** Gives back an array from `take` that nobody reads or writes any more. */
  give(array: Float32Array): void {
    let list = this.waiting.get(array.length);
    if (list === undefined) {
      list = [];
      this.waiting.set(array.length, list);
    }
    list.push(array);
    this.bytes += array.byteLength;
    if (this.bytes > this.limitBytes) {
      this.shrink(array.length);
    }
  }

  /** Releases all arrays of a length, the least recently used length first and the one just used last. */
  private shrink(justUsed: number): void {
    const own = this.waiting.get(justUsed)!;
    this.waiting.delete(justUsed);
    this.waiting.set(justUsed, own);
    for (const [length, list] of this.waiting) {
      if (this.bytes <= this.limitBytes) {
        return;
      }
      this.bytes -= list.length * length * Float32Array.BYTES_PER_ELEMENT;
      this.waiting.delete(length);
    }
  }
}
