import type { Clock } from '../../clock.js';
import { decodeAnswer, encodeOrder, gatherPath, orderFrame, scatterPath } from '../../transport/carrying.js';
import { TransportError } from '../../transport/error.js';
import { mostMessageBytes } from '../../transport/frame.js';
import { FrameReader, takeFrames } from '../../transport/frames.js';
import type { RangeResult__Output } from '../../transport/generated/fcaenet/v1/RangeResult.js';
import type { WorkerMessage__Output } from '../../transport/generated/fcaenet/v1/WorkerMessage.js';
import { Outbox } from '../../transport/outbox.js';
import { FrameStream } from '../../transport/peers/frame-stream.js';
import { helloTo } from '../../transport/peers/hello.js';
import type { Peer } from '../../transport/peers/identity.js';
import { type CallPatience, PeerCall, type PeerCallListener } from '../../transport/peers/peer-call.js';
import { TransferReceiver } from '../../transport/tensor-stream.js';
import type { TransferMemory } from '../../transport/transfer-memory.js';
import { wireBytes, wireVector } from '../../transport/wire-vector.js';
import type { ArrivedRange, CarrierOptions } from './messages.js';

/** Sums of one worker that have come and are still read. More are not read from its stream. */
const mostArrived = 4;

export interface RangeLinkListener extends Pick<PeerCallListener, 'onLost'> {
  /** The worker has accepted the call. */
  readonly onOpened: () => void;
  /** A message has left for the connection. */
  readonly onLeft: () => void;
  /** `done` must be called when the sum is not read any more. */
  readonly onArrived: (arrived: ArrivedRange, done: () => void) => void;
}

/**
 * The calls to one worker: one takes ranges of weights, the other gives sums. Each has a connection of its own, because HTTP/2 in Node
 * does not read while it writes: two sides that send much to each other on one connection wait for each other for ever.
 */
export class RangeLink {
  private readonly weights: PeerCall;
  private readonly sums: PeerCall;
  /** Calls that the worker has accepted. */
  private answers = 0;
  private isOver = false;
  private readonly outbox: Outbox<Uint8Array>;
  private readonly transfers: TransferReceiver;
  /** Bytes of the messages of the sum that is coming. */
  private messageBytes = 0;
  /** Sums that are still read. */
  private arrived = 0;
  /** Ends a wait for one of them. */
  private goOn = () => {};

  /** @param memory of sums */
  constructor(
    peer: Peer,
    private readonly options: CarrierOptions,
    patience: CallPatience,
    private readonly clock: Clock,
    private readonly memory: TransferMemory<ArrayBufferLike>,
    private readonly listener: RangeLinkListener,
  ) {
    const { identity } = options;
    const isProtected = identity.tls !== null;
    this.transfers = new TransferReceiver(memory, null, clock);
    const call = (path: string) => {
      const made = new PeerCall(peer, identity, path, patience, clock, {
        onConnected: () => {},
        onAnswer: () => {
          if (++this.answers === 2) listener.onOpened();
        },
        onLost: (...why) => {
          if (this.isOver) return;
          this.close();
          listener.onLost(...why);
        },
      });
      for (const piece of encodeOrder({ exchange: { hello: helloTo(peer, identity) } }, isProtected)) {
        made.stream.write(piece);
      }
      return made;
    };
    this.weights = call(scatterPath);
    this.sums = call(gatherPath);
    // Nothing comes but the end.
    this.weights.stream.resume();
    const frames = new FrameStream(this.weights.stream, orderFrame);
    this.outbox = new Outbox({
      write: (message, taken) =>
        frames.write(message, () => {
          listener.onLeft();
          taken();
        }),
      once: (event, then) => frames.once(event, then),
      off: (event, then) => frames.off(event, then),
    });
    takeFrames(this.sums.stream, new FrameReader(mostMessageBytes), (bytes) =>
      this.take(decodeAnswer(bytes, isProtected), bytes.byteLength),
    ).catch((error) => this.sums.lose(error instanceof Error ? error.message : String(error), false));
  }

  /** Sends the messages of a range without others between them. @param messages as `encodeCoordinatorMessage` makes them */
  send(messages: readonly Uint8Array[]): void {
    void this.outbox.sendAll(messages);
  }

  close(): void {
    this.isOver = true;
    this.weights.close();
    this.sums.close();
    this.outbox.close();
    this.goOn();
  }

  private async take({ exchange, chunk }: WorkerMessage__Output, byteLength: number): Promise<void> {
    this.messageBytes += byteLength;
    if (chunk) this.transfers.accept(chunk);
    else if (exchange?.rangeResult) {
      if (this.arrived >= mostArrived) {
        await new Promise<void>((resolve) => {
          this.goOn = resolve;
        });
      }
      this.begin(exchange.rangeResult);
    } else {
      throw new TransportError(
        'TRANSPORT_BAD_MESSAGE',
        'a worker sent a message without a range or a chunk, but only these answer the coordinator',
      );
    }
  }

  private begin(result: RangeResult__Output): void {
    const { precision, vectorLength } = this.options;
    const { start, end } = result.range ?? { start: 0, end: 0 };
    if (!(start >= 0 && start < end && end <= vectorLength)) {
      throw new TransportError(
        'TRANSPORT_BAD_MESSAGE',
        `a sum names elements ${start} to ${end}, expected a part of ${vectorLength}`,
      );
    }
    const bytes = wireBytes(precision, end - start);
    const beganAtMs = this.clock.nowMs();
    this.transfers.begin(result.transfer, { least: bytes, most: bytes }, 'a sum', (received) => {
      const { messageBytes } = this;
      const seconds = (this.clock.nowMs() - beganAtMs) / 1000;
      this.messageBytes = 0;
      this.arrived++;
      const sum = wireVector(precision, received.buffer, received.byteOffset, end - start);
      this.listener.onArrived({ result, sum, messageBytes, seconds }, () => {
        this.arrived--;
        this.memory.give(received.buffer);
        this.goOn();
      });
    });
  }
}
