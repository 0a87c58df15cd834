import type { ServerHttp2Stream } from 'node:http2';
import { bytesOf } from '../../transport/bytes.js';
import { encodeAnswer } from '../../transport/carrying.js';
import { TransportError } from '../../transport/error.js';
import type { CoordinatorMessage__Output } from '../../transport/generated/fcaenet/v1/CoordinatorMessage.js';
import type { WorkerMessage } from '../../transport/generated/fcaenet/v1/WorkerMessage.js';
import { Outbox } from '../../transport/outbox.js';
import { FrameStream } from '../../transport/peers/frame-stream.js';
import { chunksOf, TransferReceiver } from '../../transport/tensor-stream.js';
import type { TransferMemory } from '../../transport/transfer-memory.js';
import type { Exchange } from '../exchange/exchange.js';
import type { RangeSum } from '../exchange/output.js';

/** The coordinator's call: it brings ranges of weights, and sums are its answer. */
export class CoordinatorStream {
  private readonly outbox: Outbox<WorkerMessage>;
  private readonly transfers: TransferReceiver;
  private sent = 0;

  /**
   * @param isProtected whether its connection uses TLS
   * @param memory the exchange's
   */
  constructor(
    stream: ServerHttp2Stream,
    isProtected: boolean,
    private readonly exchange: Exchange,
    private readonly memory: TransferMemory<ArrayBufferLike>,
  ) {
    this.outbox = new Outbox(new FrameStream(stream, (message) => encodeAnswer(message, isProtected)));
    this.transfers = new TransferReceiver(memory);
    stream.once('close', () => this.outbox.close());
  }

  /** Takes the next message. @throws TransportError TRANSPORT_BAD_MESSAGE when it contradicts the run or the one before it */
  async accept({ exchange: order, chunk }: CoordinatorMessage__Output): Promise<void> {
    if (chunk) this.transfers.accept(chunk);
    else if (order?.weightsRange) {
      const { weightsRange } = order;
      this.exchange.namedWeights(weightsRange);
      const { byteLength } = weightsRange.transfer!;
      const allowed = { least: byteLength, most: byteLength };
      this.transfers.begin(weightsRange.transfer, allowed, 'a range of weights', (bytes) => {
        this.exchange.takeWeights(weightsRange, bytes);
        this.memory.give(bytes.buffer);
      });
    } else {
      throw new TransportError(
        'TRANSPORT_BAD_MESSAGE',
        'the coordinator sent a message without a range of weights or a chunk, but only these follow its hello',
      );
    }
  }

  /** Resolves when the sum's memory is not read any more, sent or not. */
  async send({ position, range, attempt, reduceSeconds, sum }: RangeSum): Promise<void> {
    const transfer = { id: ++this.sent, byteLength: sum.byteLength };
    const chunks = [...chunksOf(transfer.id, [bytesOf(sum)])].map((chunk) => ({ chunk }));
    const rangeResult = { position, range, attempt, transfer, reduceSeconds };
    await this.outbox.sendAll([{ exchange: { rangeResult } }, ...chunks]);
    await this.outbox.flushed();
  }
}
