/**
 * Float32 arrays waiting to be used again, by exact length: the shapes of a network repeat at every step, and fresh
 * arrays cost page faults and garbage collection. At most `limitBytes` wait; beyond that the length unused for
 * longest is given up.
 */
export class BufferPool {
  /** Insertion order is order of last use. */
  private readonly waiting = new Map<number, Float32Array[]>();
  private bytes = 0;

  /** @param allocate makes an array of the given length, of any content */
  constructor(
    private readonly allocate: (length: number) => Float32Array,
    private readonly limitBytes: number,
  ) {}

  /** Bytes of the arrays that wait. */
  get waitingBytes(): number {
    return this.bytes;
  }

  /** An array of `length` values of any content. */
  take(length: number): Float32Array {
    const array = this.waiting.get(length)?.pop();
    if (array === undefined) {
      return this.allocate(length);
    }
    this.bytes -= array.byteLength;
    return array;
  }

  /** Hands back an array that came from `take` and that nobody reads or writes any more. */
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

  /** Gives up whole lengths, oldest first, the one just used last. */
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
