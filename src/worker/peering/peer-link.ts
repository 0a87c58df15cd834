import type { Clock } from '../../clock.js';
import type { PeerMessage } from '../../transport/generated/fcaenet/v1/PeerMessage.js';
import { Outbox } from '../../transport/outbox.js';
import { encodeFrame, peeringPath } from '../../transport/peering.js';
import { FrameStream } from '../../transport/peers/frame-stream.js';
import { helloTo } from '../../transport/peers/hello.js';
import type { Peer, PeerIdentity } from '../../transport/peers/identity.js';
import { type CallPatience, PeerCall, type PeerCallListener } from '../../transport/peers/peer-call.js';
import type { OutgoingPart } from '../exchange/output.js';
import { messagesOf } from '../exchange/part-messages.js';

export interface PeerLinkListener extends Pick<PeerCallListener, 'onConnected' | 'onLost'> {
  /** Called with bytes of tensors that are handed to the stream. */
  readonly onSent: (bytes: number) => void;
}

/** The way to a peer: a stream that stays open as long as both take part. */
export class PeerLink {
  private readonly call: PeerCall;
  private readonly outbox: Outbox<PeerMessage>;
  private transfers = 0;

  constructor(
    peer: Peer,
    identity: PeerIdentity,
    patience: CallPatience,
    clock: Clock,
    private readonly listener: PeerLinkListener,
  ) {
    this.call = new PeerCall(peer, identity, peeringPath, patience, clock, {
      onConnected: listener.onConnected,
      onLost: (...why) => {
        this.outbox.close();
        listener.onLost(...why);
      },
    });
    const isProtected = identity.tls !== null;
    this.outbox = new Outbox(
      new FrameStream(this.call.stream, (message) => encodeFrame(message, isProtected)),
    );
    void this.outbox.send({ hello: helloTo(peer, identity) });
  }

  /** Resolves when the part's bytes are not read any more, sent or not. */
  async send(part: OutgoingPart): Promise<void> {
    await this.outbox.sendAll(this.counted(messagesOf(part, ++this.transfers)));
    await this.outbox.flushed();
  }

  close(): void {
    this.outbox.close();
    this.call.close();
  }

  private *counted(messages: Iterable<PeerMessage>): Generator<PeerMessage> {
    for (const message of messages) {
      if (message.chunk) this.listener.onSent(message.chunk.data!.length);
      yield message;
    }
  }
}
