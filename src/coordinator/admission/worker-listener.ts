import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls';
import type { Clock } from '../../clock.js';
import { oldestTls } from '../../transport/credentials.js';
import { TransportError } from '../../transport/error.js';
import { http2Preface } from '../../transport/http2-preface.js';
import type { TlsMaterial } from '../../transport/tls-files.js';

/** What peers may take before they have shown that they are workers. */
export interface HandshakeLimits {
  /** Time from the connection to a good hello. */
  readonly helloMs: number;
  /** Time from there to a worker that has loaded its engine and computed the probe. */
  readonly readyMs: number;
  /** Connections without a good hello, from everywhere and from one address. */
  readonly mostHandshakes: number;
  readonly mostHandshakesPerAddress: number;
  /** Connections in any state. */
  readonly mostConnections: number;
  /** How long a refused worker has to read why. */
  readonly lingerMs: number;
}

export const handshakeLimits: HandshakeLimits = {
  helloMs: 10_000,
  readyMs: 600_000,
  mostHandshakes: 256,
  mostHandshakesPerAddress: 64,
  mostConnections: 2_048,
  lingerMs: 1_000,
};

/** Why a connection ends after this side's certificate: whoever accepts it goes on to speak HTTP/2. */
const distrust =
  "it closed once it had seen this coordinator's certificate, which is not of its authority (--tls-authority), or not for the host that it dials (certs make --name)";

/**
 * One connection on its way to being a worker's.
 * - `handshaking`: TCP is open; TLS, HTTP/2 or hello are still to come
 * - `preparing`: hello was good; the worker loads its engine
 * - `joined`: its worker is a member of the run
 * - `closing`: it was refused and counted, or its worker is no longer a member
 */
export type ConnectionState = 'handshaking' | 'preparing' | 'joined' | 'closing';

export interface Connection {
  readonly address: string;
  readonly socket: Socket;
  /** When its certificate ends, Unix time in milliseconds; null in plain text, and before TLS is done. */
  certificateExpiryMs: number | null;
  /** What its worker calls itself; null before its hello. */
  name: string | null;
  state: ConnectionState;
  /** How far it came: nothing yet, this coordinator's certificate, bytes of its own after that. */
  progress: 'none' | 'certificate' | 'bytes';
  /** Whether it has opened its one stream. */
  streaming: boolean;
  /** Calls off what happens when its time is over. */
  cancelDeadline: () => void;
}

export interface ListenerOptions {
  /** Null for plain text. */
  readonly tls: TlsMaterial | null;
  readonly limits: HandshakeLimits;
  readonly clock: Clock;
  /** Takes a connection that speaks HTTP/2 and, where TLS is on, has a certificate of the authority. */
  readonly accept: (socket: Socket) => void;
  /** @param reason a word for a metric; @param sentence for the log */
  readonly onRefused: (
    reason: string,
    sentence: string,
    connection: Pick<Connection, 'address' | 'name'>,
  ) => void;
}

/**
 * The port before gRPC: bounds what peers can hold, and closes connections that are no workers' or take too long.
 * gRPC's own listener would keep a silent connection for ever.
 */
export class WorkerListener {
  private readonly listener: Server;
  private readonly tls: TlsServer | null;
  private readonly connections = new Map<string, Connection>();

  constructor(private readonly options: ListenerOptions) {
    this.tls = options.tls ? this.openTls(options.tls) : null;
    this.listener = createServer((socket) => this.arrive(socket));
    // Beyond it the system's own queue fills, and new connections are closed at once.
    this.listener.maxConnections = options.limits.mostConnections;
    this.listener.on('drop', (dropped) => {
      const address = dropped?.remoteAddress ?? 'unknown';
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
  connection(peer: string): Connection | undefined {
    return this.connections.get(peer);
  }

  /** Hello was good: the engine may take its time to load. */
  helloAccepted(connection: Connection): void {
    connection.state = 'preparing';
    const { readyMs } = this.options.limits;
    this.expire(connection, readyMs, 'not_ready', `it was not ready ${readyMs / 1000} s after its hello`);
  }

  joined(connection: Connection): void {
    connection.state = 'joined';
    connection.cancelDeadline();
  }

  /** Counts a refusal and closes the connection: one with a stream after the time to read why there. */
  refuse(connection: Connection, reason: string, sentence: string): void {
    if (connection.state === 'closing') return;
    this.options.onRefused(reason, sentence, connection);
    this.closeConnection(connection, connection.streaming ? this.options.limits.lingerMs : 0);
  }

  /** Closes a connection whose worker is no longer a member. */
  closeConnection(connection: Connection, lingerMs = this.options.limits.lingerMs): void {
    const { clock } = this.options;
    connection.state = 'closing';
    connection.cancelDeadline();
    if (lingerMs === 0) connection.socket.destroy();
    else connection.cancelDeadline = clock.after(lingerMs, () => connection.socket.destroy());
  }

  /** Takes no more connections; those that are open are left to gRPC. */
  close(): void {
    this.listener.close();
    for (const connection of this.connections.values()) {
      connection.cancelDeadline();
      if (connection.state === 'handshaking') connection.socket.destroy();
    }
  }

  private arrive(socket: Socket): void {
    const address = socket.remoteAddress ?? 'unknown';
    const peer = `${address}:${socket.remotePort}`;
    const { helloMs, mostHandshakes, mostHandshakesPerAddress } = this.options.limits;
    const connection: Connection = {
      address,
      socket,
      certificateExpiryMs: null,
      name: null,
      state: 'handshaking',
      progress: 'none',
      streaming: false,
      cancelDeadline: () => {},
    };
    // Whatever breaks here is seen by 'close'.
    socket.on('error', () => {});
    const handshaking = [...this.connections.values()].filter(({ state }) => state === 'handshaking');
    if (handshaking.length >= mostHandshakes) {
      this.refuse(
        connection,
        'too_many_handshakes',
        `${mostHandshakes} connections are about to join already`,
      );
      return;
    }
    if (handshaking.filter((each) => each.address === address).length >= mostHandshakesPerAddress) {
      const many = `${mostHandshakesPerAddress} connections of this address are about to join already`;
      this.refuse(connection, 'too_many_handshakes', many);
      return;
    }
    this.connections.set(peer, connection);
    socket.once('close', () => {
      if (connection.state === 'handshaking' && hasSpoken(connection)) {
        if (connection.progress === 'certificate') this.refuse(connection, 'untrusted_certificate', distrust);
        else this.refuse(connection, 'closed_early', 'it closed before its hello');
      }
      connection.cancelDeadline();
      this.connections.delete(peer);
    });
    this.expire(connection, helloMs, 'no_hello', `no good hello came within ${helloMs / 1000} s`);
    if (this.tls) this.tls.emit('connection', socket);
    else this.awaitPreface(socket, connection);
  }

  /** Time in which this process was too busy to listen is not held against the peer. */
  private expire(connection: Connection, ms: number, reason: string, sentence: string): void {
    connection.cancelDeadline();
    const { clock } = this.options;
    const dueMs = clock.nowMs() + ms;
    connection.cancelDeadline = clock.after(ms, () => {
      if (clock.nowMs() - dueMs > ms / 2) this.expire(connection, ms, reason, sentence);
      // What has already arrived is read before the verdict.
      else setImmediate(() => connection.state === 'joined' || this.refuse(connection, reason, sentence));
    });
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
    // The keys come with this side's certificate: there is no other sign of it in TLS 1.3. They are not looked at.
    server.on('keylog', (_, socket) => {
      const connection = this.connections.get(peerOf(socket));
      if (connection?.progress === 'none') connection.progress = 'certificate';
    });
    server.on('secureConnection', (socket) => {
      const connection = this.connections.get(peerOf(socket));
      if (connection?.state !== 'handshaking') socket.destroy();
      else if (!socket.authorized) {
        const reason = certificateFault(socket);
        this.refuse(connection, reason, `its certificate was not accepted: ${socket.authorizationError}`);
      } else {
        connection.certificateExpiryMs = Date.parse(socket.getPeerX509Certificate()!.validTo);
        this.awaitPreface(socket, connection);
      }
    });
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
      const connection = this.connections.get(peerOf(socket));
      if (connection && hasSpoken(connection))
        this.refuse(connection, 'tls_failed', `TLS failed: ${error.code ?? error.message}`);
      socket.destroy();
    });
    return server;
  }

  private awaitPreface(socket: Socket, connection: Connection): void {
    socket.on('error', () => {});
    let seen = Buffer.alloc(0);
    const look = () => {
      const bytes = socket.read() as Buffer | null;
      if (bytes === null) return;
      connection.progress = 'bytes';
      seen = Buffer.concat([seen, bytes]);
      const known = Math.min(seen.byteLength, http2Preface.byteLength);
      if (!seen.subarray(0, known).equals(http2Preface.subarray(0, known))) {
        socket.off('readable', look);
        this.refuse(connection, 'not_http2', 'its first bytes are not those of HTTP/2');
      } else if (known === http2Preface.byteLength) {
        socket.off('readable', look);
        socket.unshift(seen);
        this.options.accept(socket);
      }
    };
    socket.on('readable', look);
  }
}

/** Who said nothing only looked whether somebody listens, as probes do, and workers before they dial. */
function hasSpoken({ socket }: Connection): boolean {
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
