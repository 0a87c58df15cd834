import { once } from 'node:events';
import { type AddressInfo, createServer, type Server as TcpServer } from 'node:net';
import * as grpc from '@grpc/grpc-js';
import { TransportError } from '../../transport/error.js';
import type { PeerMessage__Output } from '../../transport/generated/fcaenet/v1/PeerMessage.js';
import type { PeerReceipt } from '../../transport/generated/fcaenet/v1/PeerReceipt.js';
import {
  damageOfPeer,
  peerChannelOptions,
  peeringService,
  peerReceiveWindow,
} from '../../transport/peering.js';
import { ReceiveWindows } from '../../transport/receive-windows.js';
import { checkHello, checkSender } from './hello.js';
import type { Peer, PeerIdentity } from './identity.js';

type PeerStream = grpc.ServerReadableStream<PeerMessage__Output, PeerReceipt>;

/** A peer has one stream. HTTP/2 itself refuses more than these on a connection. */
const mostStreams = 2;
/** Connections of all peers together. */
const mostConnections = 1_024;
/** A connection without a stream is closed after this time. */
const idleMs = 60_000;

/** Time limits of {@link PeerServer}, in milliseconds. */
export interface PeerLimits {
  /** Until the hello. */
  readonly helloMs: number;
  /** Until the coordinator names the sender of a hello: this worker may read the message only after a microbatch. */
  readonly unknownMs: number;
}

export const peerLimits: PeerLimits = { helloMs: 10_000, unknownMs: 60_000 };

export interface PeerServerOptions {
  readonly identity: PeerIdentity;
  /** Null means all addresses. */
  readonly host: string | null;
  /** 0 takes a free one. */
  readonly port: number;
  readonly limits: PeerLimits;
  /** Takes the messages of a peer after its hello, each when the one before it was taken. A failure ends the stream. */
  readonly receiver: (member: number) => (message: PeerMessage__Output) => Promise<void>;
  /** Called when this side ends a peer's stream. `reason` is a sentence. */
  readonly onRefused: (reason: string) => void;
}

/** A stream whose sender the coordinator has not named yet. */
interface Stranger {
  readonly member: number;
  readonly settle: (peer: Peer | null) => void;
}

/** Where other workers of the run connect to this one. */
export class PeerServer {
  private readonly server = new grpc.Server({
    ...peerChannelOptions,
    'grpc.max_concurrent_streams': mostStreams,
    'grpc.max_connection_idle_ms': idleMs,
  });
  private peers: ReadonlyMap<number, Peer> = new Map();
  private readonly connected = new Set<number>();
  private readonly strangers = new Set<Stranger>();
  private readonly windows: ReceiveWindows;

  private constructor(
    private readonly options: PeerServerOptions,
    private readonly listener: TcpServer,
  ) {
    const { tls } = options.identity;
    const connections = this.server.createConnectionInjector(
      tls === null
        ? grpc.ServerCredentials.createInsecure()
        : grpc.ServerCredentials.createSsl(
            tls.authority,
            [{ cert_chain: tls.certificate, private_key: tls.key }],
            true,
          ),
    );
    this.windows = new ReceiveWindows(this.server);
    listener.maxConnections = mostConnections;
    listener.on('connection', (socket) => {
      socket.setNoDelay(true);
      connections.injectConnection(socket);
    });
    this.server.addService(peeringService(tls !== null), {
      Send: (stream: PeerStream, answer: grpc.sendUnaryData<PeerReceipt>) => {
        this.serve(stream).then(
          () => answer(null, {}),
          (error) => {
            if (stream.cancelled) return;
            const reason = error instanceof Error ? error.message : String(error);
            options.onRefused(reason);
            answer({ code: grpc.status.INVALID_ARGUMENT, details: reason });
          },
        );
      },
    });
  }

  /** @throws TransportError TRANSPORT_CANNOT_LISTEN */
  static async listen(options: PeerServerOptions): Promise<PeerServer> {
    const { host, port } = options;
    const listener = createServer();
    const listening = once(listener, 'listening');
    listener.listen({ ...(host !== null && { host }), port });
    try {
      await listening;
    } catch (cause) {
      const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
      throw new TransportError(
        'TRANSPORT_CANNOT_LISTEN',
        `this worker cannot listen for its peers at port ${port} of ${host ?? 'all addresses'} (${reason})`,
        { cause },
      );
    }
    return new PeerServer(options, listener);
  }

  get port(): number {
    return (this.listener.address() as AddressInfo).port;
  }

  setPeers(peers: ReadonlyMap<number, Peer>): void {
    this.peers = peers;
    for (const { member, settle } of this.strangers) {
      const peer = peers.get(member);
      if (peer) settle(peer);
    }
  }

  close(): void {
    for (const { settle } of this.strangers) settle(null);
    this.listener.close();
    this.server.forceShutdown();
  }

  private async serve(stream: PeerStream): Promise<void> {
    const { identity, limits, receiver } = this.options;
    let member: number | null = null;
    const late = setTimeout(
      () => stream.destroy(refusal(`a peer said nothing for ${limits.helloMs} ms, expected its hello`)),
      limits.helloMs,
    );
    let accept: ((message: PeerMessage__Output) => Promise<void>) | null = null;
    try {
      for await (const message of stream as AsyncIterable<PeerMessage__Output>) {
        const damage = damageOfPeer(message);
        if (damage) throw damage;
        if (accept) {
          await accept(message);
          continue;
        }
        clearTimeout(late);
        const hello = checkHello(message.hello, identity);
        if (this.connected.has(hello.member)) {
          throw refusal(`member ${hello.member} has opened a second stream, but a peer needs only one`);
        }
        this.connected.add(hello.member);
        member = hello.member;
        const peer = this.peers.get(member) ?? (await this.introduced(member));
        checkSender(peer, stream.getAuthContext().sslPeerCertificate?.raw, identity);
        accept = receiver(member);
        this.windows.widen(stream.getPeer(), peerReceiveWindow);
      }
    } finally {
      clearTimeout(late);
      if (member !== null) this.connected.delete(member);
    }
  }

  /** Waits until the coordinator names the member. */
  private async introduced(member: number): Promise<Peer> {
    const { unknownMs } = this.options.limits;
    let stranger: Stranger | undefined;
    let timer: NodeJS.Timeout | undefined;
    const peer = await new Promise<Peer | null>((resolve) => {
      stranger = { member, settle: resolve };
      this.strangers.add(stranger);
      timer = setTimeout(resolve, unknownMs, null);
    });
    clearTimeout(timer);
    this.strangers.delete(stranger!);
    if (peer) return peer;
    throw refusal(`a peer calls itself member ${member}, but the coordinator has named no such member`);
  }
}

function refusal(sentence: string): TransportError {
  return new TransportError('TRANSPORT_BAD_MESSAGE', sentence);
}
