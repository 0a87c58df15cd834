import { type Clock, systemClock } from '../clock.js';
import { copyBytes } from './bytes.js';
import { TransportError } from './error.js';
import type { Chunk, Chunk__Output } from './generated/fcaenet/v1/Chunk.js';
import type { Transfer__Output } from './generated/fcaenet/v1/Transfer.js';
import type { SharedReader } from './shared-memory.js';
import type { TransferMemory } from './transfer-memory.js';

/** Bytes in one chunk: large enough to amortise a message's fixed cost, small enough not to block the stream. */
export const chunkBytes = 1 << 20;

/** Cuts `parts`, sent as one contiguous transfer, into chunks. A chunk never spans two parts, so nothing is copied. */
export function* chunksOf(transfer: number, parts: readonly Uint8Array[]): Generator<Chunk> {
  let offset = 0;
  for (const part of parts) {
    for (let start = 0; start < part.byteLength; start += chunkBytes) {
      const data = part.subarray(start, Math.min(start + chunkBytes, part.byteLength));
      yield { transfer, offset, data: Buffer.from(data.buffer, data.byteOffset, data.byteLength) };
      offset += data.byteLength;
    }
  }
}

/** How a receiver reaches what its peer, a process of the same machine, writes into the memory that they share. */
export interface SharedArrivals {
  readonly reader: SharedReader;
  /** Called when a transfer of `byteLength` bytes has been copied out of the memory. */
  readonly taken: (transfer: number, byteLength: number) => void;
}

/** A transfer whose bytes are still coming. Times are milliseconds of the receiver's clock. */
export interface Arrival {
  readonly byteLength: number;
  readonly received: number;
  readonly beganAtMs: number;
  /** When its last bytes came, or when it began. */
  readonly movedAtMs: number;
}

/**
 * Assembles one peer's chunks into transfers. Only one transfer is open at a time: the stream is ordered, and a sender
 * finishes a transfer before it announces the next. The size is checked before memory is allocated.
 */
export class TransferReceiver {
  /**
   * @param memory where transfers are assembled; a user who has finished with a transfer may return its memory
   * @param shared null when no memory is shared with the peer and every transfer comes in chunks
   */
  constructor(
    private readonly memory: TransferMemory<ArrayBufferLike>,
    private readonly shared: SharedArrivals | null = null,
    private readonly clock: Pick<Clock, 'nowMs'> = systemClock,
  ) {}

  /** When a transfer was last announced or some of its bytes came, in milliseconds of the clock; null before the first. */
  movedAtMs: number | null = null;

  private open: {
    id: number;
    bytes: Uint8Array;
    received: number;
    beganAtMs: number;
    complete: (bytes: Uint8Array) => void;
  } | null = null;

  /** The transfer that is open; null when none is. */
  get arrival(): Arrival | null {
    if (!this.open) return null;
    const { bytes, received, beganAtMs } = this.open;
    return { byteLength: bytes.byteLength, received, beganAtMs, movedAtMs: this.movedAtMs! };
  }

  /**
   * Expects the transfer that a message has just announced.
   * @param allowed bounds in bytes of this kind of transfer, both inclusive
   * @param complete called with the whole transfer, at the start of an aligned buffer unless it has a place
   * @param place where it is assembled, as long as the transfer; null takes memory for it
   * @throws TransportError when another transfer is still open, when the announced length is out of bounds, or when the
   * transfer is not in shared memory as announced
   */
  begin(
    transfer: Transfer__Output | null,
    allowed: { readonly least: number; readonly most: number },
    what: string,
    complete: (bytes: Uint8Array) => void,
    place: Uint8Array | null = null,
  ): void {
    if (!transfer) throw new TransportError('TRANSPORT_BAD_MESSAGE', `${what} came without a transfer`);
    if (this.open) {
      throw new TransportError(
        'TRANSPORT_BAD_MESSAGE',
        `${what} was announced while ${this.open.bytes.byteLength - this.open.received} bytes of the previous transfer were missing`,
      );
    }
    const { byteLength } = transfer;
    if (byteLength < allowed.least || byteLength > allowed.most) {
      const expected = allowed.least === allowed.most ? allowed.most : `${allowed.least} to ${allowed.most}`;
      throw new TransportError(
        'TRANSPORT_BAD_MESSAGE',
        `${what} announces ${byteLength} bytes, expected ${expected}`,
      );
    }
    if (transfer.sharedOffset > 0 && !this.shared) {
      throw new TransportError(
        'TRANSPORT_BAD_MESSAGE',
        `${what} is announced at byte ${transfer.sharedOffset} of shared memory, but no memory is shared`,
      );
    }
    this.movedAtMs = this.clock.nowMs();
    const bytes = place ?? this.memory.take(byteLength);
    if (transfer.sharedOffset > 0) {
      this.shared!.reader.read(transfer.id, transfer.sharedOffset, bytes);
      this.shared!.taken(transfer.id, byteLength);
      complete(bytes);
    } else if (byteLength === 0) complete(bytes);
    else this.open = { id: transfer.id, bytes, received: 0, beganAtMs: this.movedAtMs, complete };
  }

  /** Whether chunks of a transfer are missing. */
  get isOpen(): boolean {
    return this.open !== null;
  }

  /** @throws TransportError when the chunk belongs to no open transfer, leaves a gap or runs past the end */
  accept(chunk: Chunk__Output): void {
    const open = this.open;
    if (!open || open.id !== chunk.transfer) {
      throw new TransportError(
        'TRANSPORT_BAD_MESSAGE',
        `a chunk names transfer ${chunk.transfer}, which is not open`,
      );
    }
    if (chunk.offset !== open.received || open.received + chunk.data.byteLength > open.bytes.byteLength) {
      throw new TransportError(
        'TRANSPORT_BAD_MESSAGE',
        `a chunk covers bytes ${chunk.offset} to ${chunk.offset + chunk.data.byteLength} of transfer ${chunk.transfer}, expected byte ${open.received} of ${open.bytes.byteLength} next`,
      );
    }
    copyBytes(chunk.data, open.bytes, open.received);
    open.received += chunk.data.byteLength;
    this.movedAtMs = this.clock.nowMs();
    if (open.received === open.bytes.byteLength) {
      this.open = null;
      open.complete(open.bytes);
    }
  }
}
