/** The messages that a worker's stream has been given and that have not left for its connection, in order. */
export class LeavingMessages {
  private readonly sizes: number[] = [];
  /** When the next one was next, in milliseconds. */
  private turnSinceMs = 0;
  /** When one left last, in milliseconds; null before the first. */
  movedAtMs: number | null = null;

  add(byteLength: number, nowMs: number): void {
    if (this.sizes.length === 0) this.turnSinceMs = nowMs;
    this.sizes.push(byteLength);
  }

  /** The next one has left. @returns its bytes, and for how many milliseconds it was the next */
  leave(nowMs: number): { byteLength: number; ms: number } {
    const ms = nowMs - this.turnSinceMs;
    this.turnSinceMs = nowMs;
    this.movedAtMs = nowMs;
    return { byteLength: this.sizes.shift()!, ms };
  }

  /** Bytes of the next one; 0 when there is none. */
  get nextBytes(): number {
    return this.sizes[0] ?? 0;
  }
}
