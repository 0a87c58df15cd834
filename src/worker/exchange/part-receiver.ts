import { TransportError } from '../../transport/error.js';
import type { PeerMessage__Output } from '../../transport/generated/fcaenet/v1/PeerMessage.js';
import type { Transfer__Output } from '../../transport/generated/fcaenet/v1/Transfer.js';
import { TransferReceiver } from '../../transport/tensor-stream.js';
import type { TransferMemory } from '../../transport/transfer-memory.js';
import type { Exchange } from './exchange.js';
import type { PartName } from './output.js';

/** Assembles what one peer sends after its hello, on one way. */
export class PartReceiver {
  private readonly transfers: TransferReceiver;

  /** @param memory the exchange's */
  constructor(
    private readonly exchange: Exchange,
    private readonly sender: number,
    memory: TransferMemory<ArrayBufferLike>,
  ) {
    this.transfers = new TransferReceiver(memory);
  }

  /**
   * Takes the next message. Only one may be taken at a time: a part that comes too early makes its sender wait.
   * @throws TransportError TRANSPORT_BAD_MESSAGE when the message contradicts the run or the one before it
   */
  async accept(message: PeerMessage__Output): Promise<void> {
    const { nodeRange, weightsRange, chunk } = message;
    if (chunk) this.transfers.accept(chunk);
    else if (nodeRange) await this.begin(this.exchange.namedNode(nodeRange), nodeRange.transfer!);
    else if (weightsRange) await this.begin(this.exchange.namedWeights(weightsRange), weightsRange.transfer!);
    else {
      throw new TransportError(
        'TRANSPORT_BAD_MESSAGE',
        `member ${this.sender} sent a message without a range or a chunk, but only these follow its hello`,
      );
    }
  }

  private async begin(part: PartName, transfer: Transfer__Output): Promise<void> {
    await this.exchange.wants(this.sender, part);
    const { byteLength } = transfer;
    this.transfers.begin(transfer, { least: byteLength, most: byteLength }, 'a range', (bytes) =>
      this.exchange.receive(this.sender, part, bytes),
    );
  }
}
