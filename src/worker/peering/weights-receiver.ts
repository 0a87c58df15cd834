import { TransportError } from '../../transport/error.js';
import type { CoordinatorMessage__Output } from '../../transport/generated/fcaenet/v1/CoordinatorMessage.js';
import { TransferReceiver } from '../../transport/tensor-stream.js';
import type { TransferMemory } from '../../transport/transfer-memory.js';
import type { Exchange } from '../exchange/exchange.js';

/** Assembles the ranges of weights that the coordinator sends in a call. */
export class WeightsReceiver {
  private readonly transfers: TransferReceiver;

  /** @param memory the exchange's */
  constructor(
    private readonly exchange: Exchange,
    private readonly memory: TransferMemory<ArrayBufferLike>,
  ) {
    this.transfers = new TransferReceiver(memory);
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
}
