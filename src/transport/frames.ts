import type { Readable } from 'node:stream';
import { TransportError } from './error.js';

/** What is before each message of a gRPC stream: a byte that says whether it is compressed, and its length. */
const prefixBytes = 5;

/** The prefix of a message of so many bytes. */
export function framePrefix(byteLength: number): Buffer {
  const prefix = Buffer.alloc(prefixBytes);
  prefix.writeUInt32BE(byteLength, 1);
  return prefix;
}

/** Cuts what comes on a gRPC stream into its messages. */
export class FrameReader {
  private readonly prefix = Buffer.alloc(prefixBytes);
  private prefixed = 0;
  /** Bytes of the message that is coming. */
  private length = 0;
  private received = 0;
  /** Where messages that come in several pieces are put together, one after the other. */
  private memory = Buffer.alloc(0);

  /** @param most bytes that a message may have; memory is reserved for no more */
  constructor(public most: number) {}

  /**
   * The messages that end in a piece of the stream. Each may be read until the next one is asked for. All must be asked for
   * before the next piece.
   * @throws TransportError TRANSPORT_BAD_MESSAGE
   */
  *messagesIn(piece: Buffer): Generator<Buffer, void> {
    for (let at = 0; at < piece.byteLength; ) {
      if (this.prefixed < prefixBytes) {
        const part = piece.subarray(at, at + prefixBytes - this.prefixed);
        this.prefix.set(part, this.prefixed);
        this.prefixed += part.byteLength;
        at += part.byteLength;
        if (this.prefixed < prefixBytes) return;
        this.begin();
      }
      const part = piece.subarray(at, at + this.length - this.received);
      at += part.byteLength;
      const isWhole = part.byteLength === this.length;
      if (!isWhole) this.keep(part);
      this.received += part.byteLength;
      if (this.received < this.length) return;
      this.prefixed = 0;
      this.received = 0;
      yield isWhole ? part : this.memory.subarray(0, this.length);
    }
  }

  private begin(): void {
    this.length = this.prefix.readUInt32BE(1);
    if (this.prefix[0] !== 0) {
      throw new TransportError(
        'TRANSPORT_BAD_MESSAGE',
        'a peer sent a compressed message, expected one without compression',
      );
    }
    if (this.length > this.most) {
      throw new TransportError(
        'TRANSPORT_BAD_MESSAGE',
        `a peer announces a message of ${this.length} bytes, expected ${this.most} at most`,
      );
    }
  }

  private keep(part: Buffer): void {
    if (this.memory.byteLength < this.length) this.memory = Buffer.allocUnsafeSlow(this.length);
    this.memory.set(part, this.received);
  }
}

/**
 * Takes the messages of a stream, each when the one before it was taken. Nothing more is read meanwhile.
 * @returns resolves when the stream is over, and rejects with what `take` or the reader throws
 */
export function takeFrames(
  stream: Readable,
  reader: FrameReader,
  take: (message: Buffer) => Promise<void>,
): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.on('data', (piece: Buffer) => {
      const messages = reader.messagesIn(piece);
      const takeAll = async (first: Buffer) => {
        await take(first);
        for (const message of messages) {
          if (stream.destroyed) return;
          await take(message);
        }
      };
      try {
        const first = messages.next();
        // Most pieces are from the middle of a range.
        if (first.done) return;
        stream.pause();
        takeAll(first.value).then(() => stream.resume(), reject);
      } catch (error) {
        stream.pause();
        reject(error);
      }
    });
    for (const end of ['end', 'close']) stream.once(end, resolve);
  });
}
