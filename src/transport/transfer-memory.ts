/**
 * Reuses the memory of large transfers. New arrays of tens of megabytes cost more in page faults and garbage collection
 * than the work on them. Only give back an array that `take` returned and that nobody reads any more. The garbage
 * collector frees arrays that are not given back.
 */
export class TransferMemory<Memory extends ArrayBufferLike = ArrayBuffer> {
  private readonly waiting: Uint8Array<Memory>[] = [];
  private waitingBytes = 0;

  /**
   * @param kept unused arrays that are kept, at most: their number, or their bytes. Beyond it the oldest are released
   * @param allocate makes a buffer of so many bytes
   */
  constructor(
    private readonly kept: { readonly arrays: number } | { readonly bytes: number },
    private readonly allocate = (byteLength: number) => new ArrayBuffer(byteLength) as Memory,
  ) {}

  /** An array of exactly `byteLength` bytes, aligned for every number type. Its content is undefined. */
  take(byteLength: number): Uint8Array<Memory> {
    const index = this.waiting.findLastIndex((bytes) => bytes.byteLength === byteLength);
    if (index < 0) return new Uint8Array(this.allocate(byteLength));
    this.waitingBytes -= byteLength;
    return this.waiting.splice(index, 1)[0]!;
  }

  /** Gives an array from `take` back, by its underlying buffer. */
  give(buffer: ArrayBufferLike): void {
    this.waiting.push(new Uint8Array(buffer as Memory));
    this.waitingBytes += buffer.byteLength;
    while (this.isTooMuch()) this.waitingBytes -= this.waiting.shift()!.byteLength;
  }

  private isTooMuch(): boolean {
    const { kept } = this;
    return 'arrays' in kept ? this.waiting.length > kept.arrays : this.waitingBytes > kept.bytes;
  }
}
