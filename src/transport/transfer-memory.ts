/**
 * Memory of large transfers, used again: fresh arrays of tens of megabytes cost more in page faults and garbage
 * collection than all that is done with them. Only what was handed out here comes back, and only when nobody looks into
 * it any more; what does not come back is left to the garbage collector.
 */
export class TransferMemory {
  private readonly waiting: Uint8Array<ArrayBuffer>[] = [];

  /** @param mostArrays that wait to be used again; beyond that the one that waits for longest is given up */
  constructor(private readonly mostArrays: number) {}

  /** An array of exactly `byteLength` bytes of any content, aligned for every number. */
  take(byteLength: number): Uint8Array<ArrayBuffer> {
    const index = this.waiting.findIndex((bytes) => bytes.byteLength === byteLength);
    return index < 0 ? new Uint8Array(byteLength) : this.waiting.splice(index, 1)[0]!;
  }

  /** Hands back an array from `take`, by the buffer under it. */
  give(buffer: ArrayBufferLike): void {
    this.waiting.push(new Uint8Array(buffer as ArrayBuffer));
    if (this.waiting.length > this.mostArrays) this.waiting.shift();
  }
}
