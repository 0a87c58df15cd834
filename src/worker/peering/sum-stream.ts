import type { ServerHttp2Stream } from 'node:http2';
import { bytesOf } from '../../transport/bytes.js';
import { encodeAnswer } from '../../transport/carrying.js';
import type { WorkerMessage } from '../../transport/generated/fcaenet/v1/WorkerMessage.js';
import { Outbox } from '../../transport/outbox.js';
import { FrameStream } from '../../transport/peers/frame-stream.js';
import { chunksOf } from '../../transport/tensor-stream.js';
import type { RangeSum } from '../exchange/output.js';

/** The coordinator's call that takes sums. */
export class SumStream {
  private readonly outbox: Outbox<WorkerMessage>;
  private sent = 0;

  /** @param isProtected whether its connection uses TLS */
  constructor(stream: ServerHttp2Stream, isProtected: boolean) {
    this.outbox = new Outbox(new FrameStream(stream, (message) => encodeAnswer(message, isProtected)));
    stream.once('close', () => this.outbox.close());
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
