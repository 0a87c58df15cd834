import type { Writable } from 'node:stream';

/** Messages as gRPC writes them, written to a stream of HTTP/2. */
export class FrameStream<Message> {
  /** @param piecesOf the frame of a message, in pieces */
  constructor(
    private readonly stream: Writable,
    private readonly piecesOf: (message: Message) => Uint8Array[],
  ) {}

  /**
   * @param taken called when the message's memory is not read any more
   * @returns whether the next message may follow at once
   */
  write(message: Message, taken: () => void): boolean {
    const pieces = this.piecesOf(message);
    const last = pieces.pop()!;
    this.stream.cork();
    for (const piece of pieces) this.stream.write(piece);
    const isDrained = this.stream.write(last, taken);
    // A range's announcement and its bytes leave together.
    process.nextTick(() => this.stream.uncork());
    return isDrained;
  }

  once(event: 'drain' | 'close', listener: () => void): void {
    this.stream.once(event, listener);
  }

  off(event: 'drain' | 'close', listener: () => void): void {
    this.stream.off(event, listener);
  }
}
