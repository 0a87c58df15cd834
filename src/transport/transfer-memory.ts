/**
 * Reuses the memory of large transfers. New arrays of tens of megabytes cost more in page faults and garbage collection
 * than the work on them. Only give back an array that `take` returned and that nobody reads any more. The garbage
 * collector frees arrays that are not given back.
 */
export class TransferMemory<Memory extends ArrayBufferLike = ArrayBuffer> {
  private readonly waiting: Uint8Array<Memory>[] = [];

  /**
   * @param mostArrays number of unused arrays to keep; beyond it the oldest one is released
   * @param allocate makes a buffer of so many bytes
   */
  constructor(
    private readonly mostArrays: number,
    private readonly allocate = (byteLength: number) => new ArrayBuffer(byteLength) as Memory,
  ) {}

  /** An array of exactly `byteLength` bytes, aligned for every number type. Its content is undefined. */
  take(byteLength: number): Uint8Array<Memory> {
    const index = this.waiting.findIndex((bytes) => bytes.byteLength === byteLength);
    return index < 0 ? new Uint8Array(this.allocate(byteLength)) : this.waiting.splice(index, 1)[0]!;
  }

  /** Gives an array from `take` back, by its underlying buffer. */
  give(buffer: ArrayBufferLike): void {
    this.waiting.push(new Uint8Array(buffer as Memory));
    if (this.waiting.length > this.mostArrays) this.waiting.shift();
  }
}
