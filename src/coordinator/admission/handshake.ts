import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls';
import { oldestTls } from '../../transport/credentials.js';
import { TransportError } from '../../transport/error.js';
import type { TlsMaterial } from '../../transport/tls-files.js';

/** What strangers may take before they have shown that they are workers. */
export interface HandshakeLimits {
  /** Time from the connection to a good hello. */
  readonly helloMs: number;
  /** Time from there to a worker that has loaded its engine and computed the probe. */
  readonly readyMs: number;
  /** Connections without a good hello, from everywhere and from one address. */
  readonly mostKnocking: number;
  readonly mostKnockingPerAddress: number;
  /** Connections in any state. */
  readonly mostConnections: number;
  /** How long a refused worker has to read why. */
  readonly lingerMs: number;
}

export const handshakeLimits: HandshakeLimits = {
  helloMs: 10_000,
  readyMs: 600_000,
  mostKnocking: 256,
  mostKnockingPerAddress: 64,
  mostConnections: 2_048,
  lingerMs: 1_000,
};

/** How HTTP/2, and so gRPC, begins (RFC 9113, 3.4). */
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/**
 * One connection on its way to being a worker's.
 * - `knocking`: TCP is open; TLS, HTTP/2 or hello are still to come
 * - `welcomed`: hello was good; the worker loads its engine
 * - `in`: a member of the run
 * - `refused`: counted, and about to be closed
 */
export type VisitorState = 'knocking' | 'welcomed' | 'in' | 'refused';

export interface Visitor {
  readonly address: string;
  readonly socket: Socket;
  /** What its worker calls itself; null before its hello. */
  name: string | null;
  state: VisitorState;
  /** Whether it has opened its one stream. */
  streaming: boolean;
  deadline: NodeJS.Timeout | undefined;
}

export interface DoorOptions {
  /** Null for plain text. */
  readonly tls: TlsMaterial | null;
  readonly limits: HandshakeLimits;
  /** Takes a connection that speaks HTTP/2 and, where TLS is on, has a certificate of the authority. */
  readonly admit: (socket: Socket) => void;
  /** @param reason a word for a metric; @param sentence for the log */
  readonly onRefused: (reason: string, sentence: string, visitor: Pick<Visitor, 'address' | 'name'>) => void;
}

/**
 * The port before gRPC: bounds what strangers can hold, and closes on those who are no workers or take too long.
 * gRPC's own listener would keep a silent connection for ever.
 */
export class Door {
  private readonly listener: Server;
  private readonly tls: TlsServer | null;
  private readonly visitors = new Map<string, Visitor>();

  constructor(private readonly options: DoorOptions) {
    this.tls = options.tls ? this.openTls(options.tls) : null;
    this.listener = createServer((socket) => this.arrive(socket));
    // Beyond it the system's own queue fills, and new connections are closed at once.
    this.listener.maxConnections = options.limits.mostConnections;
    this.listener.on('drop', (connection) => {
      const address = connection?.remoteAddress ?? 'unknown';
      const most = options.limits.mostConnections;
      options.onRefused('too_many_connections', `there are ${most} connections already`, {
        address,
        name: null,
      });
    });
  }

  /**
   * @returns the port, when 0 was asked for
   * @throws TransportError TRANSPORT_PORT_IN_USE or TRANSPORT_CANNOT_LISTEN
   */
  listen(host: string, port: number): Promise<number> {
    const { listener } = this;
    return new Promise((resolve, reject) => {
      listener.once('error', (error: NodeJS.ErrnoException) => reject(cannotListen(host, port, error)));
      listener.listen({ host, port }, () => {
        listener.removeAllListeners('error');
        // A failed accept (too many open files, say) concerns that connection, never the run.
        listener.on('error', () => {});
        resolve((listener.address() as { port: number }).port);
      });
    });
  }

  /** The connection of a peer (`ADDRESS:PORT`) while it is open. */
  visitor(peer: string): Visitor | undefined {
    return this.visitors.get(peer);
  }

  /** Hello was good: the engine may take its time to load. */
  welcome(visitor: Visitor): void {
    visitor.state = 'welcomed';
    const { readyMs } = this.options.limits;
    this.expire(visitor, readyMs, 'not_ready', `it was not ready ${readyMs / 1000} s after its hello`);
  }

  admit(visitor: Visitor): void {
    visitor.state = 'in';
    clearTimeout(visitor.deadline);
  }

  /** Counts a refusal and closes the connection: one with a stream after the time to read why there. */
  refuse(visitor: Visitor, reason: string, sentence: string): void {
    if (visitor.state === 'refused') return;
    this.options.onRefused(reason, sentence, visitor);
    this.dismiss(visitor, visitor.streaming ? this.options.limits.lingerMs : 0);
  }

  /** Closes a connection whose worker is no longer a member. */
  dismiss(visitor: Visitor, lingerMs = this.options.limits.lingerMs): void {
    visitor.state = 'refused';
    clearTimeout(visitor.deadline);
    if (lingerMs === 0) visitor.socket.destroy();
    else visitor.deadline = setTimeout(() => visitor.socket.destroy(), lingerMs).unref();
  }

  /** Takes no more connections; those that are open are left to gRPC. */
  close(): void {
    this.listener.close();
    for (const visitor of this.visitors.values()) {
      clearTimeout(visitor.deadline);
      if (visitor.state === 'knocking') visitor.socket.destroy();
    }
  }

  private arrive(socket: Socket): void {
    const address = socket.remoteAddress ?? 'unknown';
    const peer = `${address}:${socket.remotePort}`;
    const { helloMs, mostKnocking, mostKnockingPerAddress } = this.options.limits;
    const visitor: Visitor = {
      address,
      socket,
      name: null,
      state: 'knocking',
      streaming: false,
      deadline: undefined,
    };
    // Whatever breaks here is seen by 'close'.
    socket.on('error', () => {});
    const knocking = [...this.visitors.values()].filter(({ state }) => state === 'knocking');
    if (knocking.length >= mostKnocking) {
      this.refuse(visitor, 'too_many_handshakes', `${mostKnocking} connections are about to join already`);
      return;
    }
    if (knocking.filter((each) => each.address === address).length >= mostKnockingPerAddress) {
      const many = `${mostKnockingPerAddress} connections of this address are about to join already`;
      this.refuse(visitor, 'too_many_handshakes', many);
      return;
    }
    this.visitors.set(peer, visitor);
    socket.once('close', () => {
      if (visitor.state === 'knocking' && hasSpoken(visitor))
        this.refuse(visitor, 'closed_early', 'it closed before its hello');
      clearTimeout(visitor.deadline);
      this.visitors.delete(peer);
    });
    this.expire(visitor, helloMs, 'no_hello', `no good hello came within ${helloMs / 1000} s`);
    if (this.tls) this.tls.emit('connection', socket);
    else this.awaitPreface(socket, visitor);
  }

  /** Time in which this process was too busy to listen is not held against the visitor. */
  private expire(visitor: Visitor, ms: number, reason: string, sentence: string): void {
    clearTimeout(visitor.deadline);
    const due = performance.now() + ms;
    visitor.deadline = setTimeout(() => {
      if (performance.now() - due > ms / 2) this.expire(visitor, ms, reason, sentence);
      // What has already arrived is read before the verdict.
      else setImmediate(() => visitor.state === 'in' || this.refuse(visitor, reason, sentence));
    }, ms).unref();
  }

  private openTls(material: TlsMaterial): TlsServer {
    const server = createTlsServer({
      cert: material.certificate,
      key: material.key,
      ca: material.authority,
      requestCert: true,
      // Judged below instead, where it can be counted; nothing that is not authorised comes past it.
      rejectUnauthorized: false,
      minVersion: oldestTls,
      ALPNProtocols: ['h2'],
      handshakeTimeout: this.options.limits.helloMs,
    });
    server.on('secureConnection', (socket) => {
      const visitor = this.visitors.get(peerOf(socket));
      if (visitor?.state !== 'knocking') socket.destroy();
      else if (!socket.authorized) {
        const reason = certificateFault(socket);
        this.refuse(visitor, reason, `its certificate was not accepted: ${socket.authorizationError}`);
      } else this.awaitPreface(socket, visitor);
    });
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
      const visitor = this.visitors.get(peerOf(socket));
      if (visitor && hasSpoken(visitor))
        this.refuse(visitor, 'tls_failed', `TLS failed: ${error.code ?? error.message}`);
      socket.destroy();
    });
    return server;
  }

  private awaitPreface(socket: Socket, visitor: Visitor): void {
    socket.on('error', () => {});
    let seen = Buffer.alloc(0);
    const look = () => {
      const bytes = socket.read() as Buffer | null;
      if (bytes === null) return;
      seen = Buffer.concat([seen, bytes]);
      const known = Math.min(seen.byteLength, preface.byteLength);
      if (!seen.subarray(0, known).equals(preface.subarray(0, known))) {
        socket.off('readable', look);
        this.refuse(visitor, 'not_http2', 'its first bytes are not those of HTTP/2');
      } else if (known === preface.byteLength) {
        socket.off('readable', look);
        socket.unshift(seen);
        this.options.admit(socket);
      }
    };
    socket.on('readable', look);
  }
}

/** Who said nothing only looked whether somebody listens, as probes do, and workers before they dial. */
function hasSpoken({ socket }: Visitor): boolean {
  return socket.bytesRead > 0;
}

/** `ADDRESS:PORT`, as gRPC names a stream's peer. */
function peerOf(socket: Socket): string {
  return `${socket.remoteAddress}:${socket.remotePort}`;
}

function certificateFault(socket: TLSSocket): string {
  if (socket.getPeerX509Certificate() === undefined) return 'no_certificate';
  const expired = /EXPIRED|NOT_YET_VALID/.test(String(socket.authorizationError));
  return expired ? 'expired_certificate' : 'untrusted_certificate';
}

function cannotListen(host: string, port: number, cause: NodeJS.ErrnoException): TransportError {
  return cause.code === 'EADDRINUSE'
    ? new TransportError(
        'TRANSPORT_PORT_IN_USE',
        `port ${port} on ${host} is in use; choose another with --set spec.operation.listen=HOST:PORT (port 0 takes any free one)`,
        { cause },
      )
    : new TransportError('TRANSPORT_CANNOT_LISTEN', `cannot listen on ${host}:${port}: ${cause.message}`, {
        cause,
      });
}
