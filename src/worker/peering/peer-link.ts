import { status } from '@grpc/grpc-js';
import { type Clock, whileAwake } from '../../clock.js';
import type { PeerMessage } from '../../transport/generated/fcaenet/v1/PeerMessage.js';
import { grpcType, statusIn } from '../../transport/grpc-status.js';
import { keepAlive } from '../../transport/keepalive.js';
import { Outbox } from '../../transport/outbox.js';
import { peeringPath, peerSilenceMs } from '../../transport/peering.js';
import type { OutgoingPart } from '../exchange/output.js';
import { messagesOf } from '../exchange/part-messages.js';
import { dial, type PeerConnection } from './dial.js';
import { helloTo } from './hello.js';
import type { Peer, PeerIdentity } from './identity.js';
import { PeerStream } from './peer-stream.js';

/** How long a link waits for its peer. */
export interface LinkPatience {
  /** Time limit to connect, in milliseconds as of {@link whileAwake}. */
  readonly connectMs: number;
  /** As of {@link keepAlive}; {@link peerSilenceMs} where this is absent. */
  readonly silenceMs?: number;
}

export interface PeerLinkListener {
  /** Called once, when the peer accepts the connection. */
  readonly onConnected: () => void;
  /**
   * Called once, when the peer cannot be reached or has ended the stream.
   * @param isRefused whether the peer says that this worker or its messages are wrong
   */
  readonly onLost: (reason: string, isRefused: boolean) => void;
  /** Called with bytes of tensors that are handed to the stream. */
  readonly onSent: (bytes: number) => void;
}

/** The way to a peer: a stream that stays open as long as both take part. */
export class PeerLink {
  private readonly connection: PeerConnection;
  private readonly outbox: Outbox<PeerMessage>;
  private transfers = 0;
  private isOver = false;
  /** Ends the time limit to connect. */
  private readonly stopWaiting: () => void;

  constructor(
    peer: Peer,
    identity: PeerIdentity,
    { connectMs, silenceMs = peerSilenceMs }: LinkPatience,
    clock: Clock,
    private readonly listener: PeerLinkListener,
  ) {
    this.stopWaiting = whileAwake(clock, connectMs, () =>
      this.lose(`it does not answer at ${peer.address}`, false),
    );
    this.connection = dial(peer, identity, (reason) => this.lose(reason, false));
    const { session } = this.connection;
    session.once('remoteSettings', () => {
      if (this.isOver) return;
      this.stopWaiting();
      keepAlive(session, silenceMs, () => this.lose(`it has not answered for ${silenceMs} ms`, false));
      listener.onConnected();
    });
    session.once('close', () => this.lose('it ended the connection', false));
    const stream = session.request({
      ...{ ':method': 'POST', ':path': peeringPath },
      ...{ 'content-type': grpcType, te: 'trailers' },
    });
    // The peer answers nothing but that it has ended the stream, and why.
    stream.once('response', (headers) => {
      const { code, message } = statusIn(headers);
      this.lose(message, code === status.INVALID_ARGUMENT);
    });
    stream.on('error', ({ message }) => this.lose(message, false));
    stream.once('close', () => this.lose('it ended the stream', false));
    this.outbox = new Outbox(new PeerStream(stream, identity.tls !== null));
    void this.outbox.send(helloTo(peer, identity));
  }

  /** Resolves when the part's bytes are not read any more, sent or not. */
  async send(part: OutgoingPart): Promise<void> {
    await this.outbox.sendAll(this.counted(messagesOf(part, ++this.transfers)));
    await this.outbox.flushed();
  }

  close(): void {
    this.isOver = true;
    this.stopWaiting();
    this.outbox.close();
    this.connection.destroy();
  }

  private *counted(messages: Iterable<PeerMessage>): Generator<PeerMessage> {
    for (const message of messages) {
      if (message.chunk) this.listener.onSent(message.chunk.data!.length);
      yield message;
    }
  }

  private lose(reason: string, isRefused: boolean): void {
    if (this.isOver) return;
    this.close();
    this.listener.onLost(reason, isRefused);
  }
}
