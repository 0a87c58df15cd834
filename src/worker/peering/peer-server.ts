import { once } from 'node:events';
import {
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { status } from '@grpc/grpc-js';
import { decodeOrder, gatherPath, scatterPath } from '../../transport/carrying.js';
import { oldestTls } from '../../transport/credentials.js';
import { TransportError } from '../../transport/error.js';
import { mostMessageBytes } from '../../transport/frame.js';
import { FrameReader, takeFrames } from '../../transport/frames.js';
import type { CoordinatorMessage__Output } from '../../transport/generated/fcaenet/v1/CoordinatorMessage.js';
import type { PeerHello__Output } from '../../transport/generated/fcaenet/v1/PeerHello.js';
import type { PeerMessage__Output } from '../../transport/generated/fcaenet/v1/PeerMessage.js';
import {
  answerHeaders,
  type GrpcStatus,
  headersOfStatus,
  trailersOfStatus,
} from '../../transport/grpc-status.js';
import { keepAlive } from '../../transport/keepalive.js';
import { decodeFrame, peeringPath, peerReceiveWindow, peerSilenceMs } from '../../transport/peering.js';
import { checkHello, checkSender } from '../../transport/peers/hello.js';
import { coordinatorNumber, type Peer, type PeerIdentity } from '../../transport/peers/identity.js';
import { widenWindows } from '../../transport/receive-windows.js';

/** A peer has one stream. HTTP/2 itself refuses more than these on a connection. */
const mostStreams = 2;
/** Connections of all peers together. */
const mostConnections = 1_024;
/** Bytes of the first message of a stream, the hello. */
const mostHelloBytes = 64 << 10;
/** Time limits of {@link PeerServer}, in milliseconds. */
export interface PeerLimits {
  /** Until the hello. */
  readonly helloMs: number;
  /** Until the coordinator names the sender of a hello: this worker may read the message only after a microbatch. */
  readonly unknownMs: number;
  /** Until a connection without a stream is closed. */
  readonly idleMs: number;
}

export const peerLimits: PeerLimits = { helloMs: 10_000, unknownMs: 60_000, idleMs: 60_000 };

export interface PeerServerOptions {
  readonly identity: PeerIdentity;
  /** Null means all addresses. */
  readonly host: string | null;
  /** 0 takes a free one. */
  readonly port: number;
  readonly limits: PeerLimits;
  /** Takes the messages of a peer after its hello, each when the one before it was taken. A failure ends the stream. */
  readonly receiver: (member: number) => (message: PeerMessage__Output) => Promise<void>;
  /** Takes what the coordinator sends, as {@link receiver} does. */
  readonly scattered: () => (message: CoordinatorMessage__Output) => Promise<void>;
  /** The coordinator takes answers on this stream from now on. */
  readonly gathered: (stream: ServerHttp2Stream) => void;
  /** Called when this side ends a peer's stream. `reason` is a sentence. */
  readonly onRefused: (reason: string) => void;
}

/** A method of gRPC that callers find here. */
interface Method<Message> {
  /** Whether the member may call it. */
  isFor(member: number): boolean;
  /** Whether a call ends the one before it. Else a second one of the same member is refused. */
  readonly replaces: boolean;
  /** A message without gRPC's prefix. */
  decode(bytes: Buffer, isProtected: boolean): Message;
  helloOf(message: Message): PeerHello__Output | null | undefined;
  /** Called when the hello is accepted. @returns takes the messages after it */
  begin(member: number, stream: ServerHttp2Stream): (message: Message) => Promise<void>;
}

/** A stream whose sender the coordinator has not named yet. */
interface Stranger {
  readonly member: number;
  readonly settle: (peer: Peer | null) => void;
}

/** Where other workers of the run connect to this one. */
export class PeerServer {
  private peers: ReadonlyMap<number, Peer> = new Map();
  private readonly connected = new Set<number>();
  private readonly strangers = new Set<Stranger>();
  private readonly sessions = new Set<ServerHttp2Session>();
  /** The coordinator's calls, by their path. */
  private readonly calls = new Map<string, ServerHttp2Stream>();
  private readonly methods: Readonly<Record<string, Method<unknown>>>;

  private constructor(
    private readonly options: PeerServerOptions,
    private readonly server: Http2Server | Http2SecureServer,
  ) {
    server.maxConnections = mostConnections;
    server.on('session', (session) => this.keep(session));
    server.on('stream', (stream, headers) => this.answer(stream, headers));
    const send: Method<PeerMessage__Output> = {
      isFor: (member) => member !== coordinatorNumber,
      replaces: false,
      decode: decodeFrame,
      helloOf: ({ hello }) => hello,
      begin: (member) => options.receiver(member),
    };
    const ofCoordinator = (
      path: string,
      begin: (stream: ServerHttp2Stream) => (message: CoordinatorMessage__Output) => Promise<void>,
    ): Method<CoordinatorMessage__Output> => ({
      isFor: (member) => member === coordinatorNumber,
      // The coordinator knows first that a call of its own is over.
      replaces: true,
      decode: decodeOrder,
      helloOf: ({ exchange }) => exchange?.hello,
      begin: (_, stream) => {
        this.calls.get(path)?.close();
        this.calls.set(path, stream);
        stream.respond(answerHeaders, { waitForTrailers: true });
        return begin(stream);
      },
    });
    const scatter = ofCoordinator(scatterPath, () => options.scattered());
    const gather = ofCoordinator(gatherPath, (stream) => {
      options.gathered(stream);
      return () => Promise.reject(refusal('the coordinator sent a message after its hello, expected none'));
    });
    this.methods = {
      [peeringPath]: send as Method<unknown>,
      [scatterPath]: scatter as Method<unknown>,
      [gatherPath]: gather as Method<unknown>,
    };
  }

  /** @throws TransportError TRANSPORT_CANNOT_LISTEN */
  static async listen(options: PeerServerOptions): Promise<PeerServer> {
    const { host, port, identity } = options;
    const server = serverFor(identity, options.limits);
    const listening = once(server, 'listening');
    server.listen({ ...(host !== null && { host }), port });
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
    return new PeerServer(options, server);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** @param peers the coordinator among them while it may send ranges here */
  setPeers(peers: ReadonlyMap<number, Peer>): void {
    this.peers = peers;
    if (!peers.has(coordinatorNumber)) for (const stream of this.calls.values()) stream.close();
    for (const { member, settle } of this.strangers) {
      const peer = peers.get(member);
      if (peer) settle(peer);
    }
  }

  close(): void {
    for (const { settle } of this.strangers) settle(null);
    this.server.close();
    for (const session of this.sessions) session.destroy();
  }

  /** Ends a connection that has no stream for a while, or whose peer is silent. */
  private keep(session: ServerHttp2Session): void {
    const { idleMs } = this.options.limits;
    this.sessions.add(session);
    const end = () => session.destroy();
    let streams = 0;
    let idle = setTimeout(end, idleMs);
    session.on('stream', (stream) => {
      streams++;
      clearTimeout(idle);
      stream.once('close', () => {
        if (--streams === 0 && !session.destroyed) idle = setTimeout(end, idleMs);
      });
    });
    session.once('close', () => {
      clearTimeout(idle);
      this.sessions.delete(session);
    });
    // What closes a connection is no fault of this worker.
    session.on('error', () => {});
    keepAlive(session, peerSilenceMs, end);
  }

  private answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    stream.on('error', () => {});
    const path = String(headers[':path']);
    const method = Object.hasOwn(this.methods, path) ? this.methods[path] : undefined;
    if (!method) {
      end(stream, {
        code: status.UNIMPLEMENTED,
        message: `a worker has no ${path}, expected ${Object.keys(this.methods).join(' or ')}`,
      });
      return;
    }
    this.serve(stream, method).then(
      () => end(stream, { code: status.OK, message: '' }),
      (error) => {
        if (stream.closed) return;
        const message = error instanceof Error ? error.message : String(error);
        this.options.onRefused(message);
        end(stream, { code: status.INVALID_ARGUMENT, message });
      },
    );
  }

  private async serve<Message>(stream: ServerHttp2Stream, method: Method<Message>): Promise<void> {
    const { identity, limits } = this.options;
    const isProtected = identity.tls !== null;
    const frames = new FrameReader(mostHelloBytes);
    let member: number | null = null;
    let late: NodeJS.Timeout | undefined;
    const isLate = new Promise<never>((_, reject) => {
      const sentence = `a peer said nothing for ${limits.helloMs} ms, expected its hello`;
      late = setTimeout(() => reject(refusal(sentence)), limits.helloMs);
    });
    let accept: ((message: Message) => Promise<void>) | null = null;
    const take = async (bytes: Buffer) => {
      const message = method.decode(bytes, isProtected);
      if (accept) return accept(message);
      clearTimeout(late);
      const hello = checkHello(method.helloOf(message), identity);
      if (!method.isFor(hello.member)) {
        throw refusal(`member ${hello.member} has called a method that is not for it`);
      }
      if (!method.replaces) {
        if (this.connected.has(hello.member)) {
          throw refusal(`member ${hello.member} has opened a second stream, but a peer needs only one`);
        }
        this.connected.add(hello.member);
        member = hello.member;
      }
      const peer = this.peers.get(hello.member) ?? (await this.introduced(hello.member));
      checkSender(peer, certificateOf(stream), identity);
      accept = method.begin(hello.member, stream);
      frames.most = mostMessageBytes;
      if (stream.session) widenWindows(stream.session, peerReceiveWindow);
    };
    try {
      await Promise.race([takeFrames(stream, frames, take), isLate]);
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

function serverFor({ tls }: PeerIdentity, { helloMs }: PeerLimits): Http2Server | Http2SecureServer {
  const settings = { settings: { maxConcurrentStreams: mostStreams } };
  if (tls === null) return createServer(settings);
  return createSecureServer({
    ...settings,
    ...{ cert: tls.certificate, key: tls.key, ca: tls.authority, minVersion: oldestTls },
    ...{ requestCert: true, rejectUnauthorized: true, handshakeTimeout: helloMs },
  });
}

/** Undefined in plain text, and when the connection is gone. */
function certificateOf({ session }: ServerHttp2Stream): Uint8Array | undefined {
  return (session?.socket as Partial<TLSSocket> | undefined)?.getPeerCertificate?.().raw;
}

/** Answers a stream with its end. */
function end(stream: ServerHttp2Stream, how: GrpcStatus): void {
  if (stream.destroyed || stream.closed) return;
  if (stream.headersSent) {
    stream.once('wantTrailers', () => stream.sendTrailers(trailersOfStatus(how)));
    stream.end();
    return;
  }
  stream.respond(headersOfStatus(how), { endStream: true });
  stream.close();
}

function refusal(sentence: string): TransportError {
  return new TransportError('TRANSPORT_BAD_MESSAGE', sentence);
}
