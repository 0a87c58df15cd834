import type { ClientHttp2Stream } from 'node:http2';
import type { PeerMessage } from '../../transport/generated/fcaenet/v1/PeerMessage.js';
import { encodeFrame } from '../../transport/peering.js';

/** The messages of a worker to a peer, written to a stream of HTTP/2 as gRPC would write them. */
export class PeerStream {
  /** @param isProtected whether its connection uses TLS */
  constructor(
    private readonly stream: ClientHttp2Stream,
    private readonly isProtected: boolean,
  ) {}

  /**
   * @param taken called when the message's memory is not read any more
   * @returns whether the next message may follow at once
   */
  write(message: PeerMessage, taken: () => void): boolean {
    const pieces = encodeFrame(message, this.isProtected);
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
