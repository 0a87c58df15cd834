import { createSecureContext } from 'node:tls';
import type { ClientWritableStream } from '@grpc/grpc-js';
import { ChannelCredentials, status } from '@grpc/grpc-js';
import { type Clock, whileAwake } from '../../clock.js';
import { oldestTls } from '../../transport/credentials.js';
import type { PeeringClient } from '../../transport/generated/fcaenet/v1/Peering.js';
import type { PeerMessage } from '../../transport/generated/fcaenet/v1/PeerMessage.js';
import { Outbox } from '../../transport/outbox.js';
import { peeringClient } from '../../transport/peering.js';
import type { OutgoingPart } from '../exchange/output.js';
import { messagesOf } from '../exchange/part-messages.js';
import { isCertificate } from './certificate-hash.js';
import { helloTo } from './hello.js';
import type { Peer, PeerIdentity } from './identity.js';

/** How long a link waits for its peer. */
export interface LinkPatience {
  /** Time limit to connect, in milliseconds as of {@link whileAwake}. */
  readonly connectMs: number;
  /** As of {@link peeringClient}; its own value where this is absent. */
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
  private readonly client: PeeringClient;
  private readonly stream: ClientWritableStream<PeerMessage>;
  private readonly outbox: Outbox<PeerMessage>;
  private transfers = 0;
  private isOver = false;
  /** Ends the time limit to connect. */
  private readonly stopWaiting: () => void;

  constructor(
    peer: Peer,
    identity: PeerIdentity,
    { connectMs, silenceMs }: LinkPatience,
    clock: Clock,
    private readonly listener: PeerLinkListener,
  ) {
    this.client = peeringClient(
      peer.address,
      credentialsFor(peer, identity),
      identity.tls !== null,
      silenceMs,
    );
    this.stopWaiting = whileAwake(clock, connectMs, () =>
      this.lose(`it does not answer at ${peer.address}`, false),
    );
    this.client.waitForReady(Number.POSITIVE_INFINITY, (error) => {
      if (error || this.isOver) return;
      this.stopWaiting();
      listener.onConnected();
    });
    this.stream = this.client.send((error) =>
      this.lose(error ? error.details : 'it ended the stream', error?.code === status.INVALID_ARGUMENT),
    );
    // The call's end says the same.
    this.stream.on('error', () => {});
    this.outbox = new Outbox(this.stream);
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
    this.stream.cancel();
    this.client.close();
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

/** The certificate must be the peer's, whatever host it names. */
function credentialsFor(peer: Peer, { tls }: PeerIdentity): ChannelCredentials {
  if (tls === null) return ChannelCredentials.createInsecure();
  const context = createSecureContext({
    cert: tls.certificate,
    key: tls.key,
    ca: tls.authority,
    minVersion: oldestTls,
  });
  return ChannelCredentials.createFromSecureContext(context, {
    checkServerIdentity: (_, { raw }) =>
      isCertificate(raw, peer.certificateSha256)
        ? undefined
        : new Error('it has another certificate, expected the one with which it has joined the run'),
  });
}
