// Ways to bring ranges from a sender's SharedArrayBuffer into a receiver's, one connection each, for bench/bytes.mjs.
// A way has two functions:
// - receive({ tls, take }) listens on loopback and returns its port. It calls `take` after each range that has arrived.
// - connect({ tls, port }) returns a function that sends a range and resolves when its memory is not read any more.
import { createHash, X509Certificate } from 'node:crypto';
import * as http2 from 'node:http2';
import * as net from 'node:net';
import * as nodeTls from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import { systemClock } from '../../dist/clock.js';
import { copyBytes } from '../../dist/transport/bytes.js';
import { peerReceiveWindow } from '../../dist/transport/peering.js';
import { ReceiveWindows } from '../../dist/transport/receive-windows.js';
import { TransferMemory } from '../../dist/transport/transfer-memory.js';
import { PartReceiver } from '../../dist/worker/exchange/part-receiver.js';
import { PeerLink } from '../../dist/worker/peering/peer-link.js';
import { PeerServer, peerLimits } from '../../dist/worker/peering/peer-server.js';

/** Bytes before each range on a plain socket: its length. */
const prefixBytes = 4;

/** Ranges in the memory of either side, so that it is no part of a processor's cache. */
const keptRanges = 32;

/** So many ranges in shared memory, which take turns. */
export class RangeMemory {
  constructor(rangeBytes) {
    this.ranges = Array.from({ length: keptRanges }, (_, place) =>
      Buffer.from(new SharedArrayBuffer(rangeBytes)).fill(place + 1),
    );
    this.turn = 0;
  }

  next() {
    this.turn = (this.turn + 1) % keptRanges;
    return this.ranges[this.turn];
  }
}

/** Puts pieces of ranges into shared memory, one range after the other. */
class Assembly {
  constructor(rangeBytes, take) {
    this.memory = new RangeMemory(rangeBytes);
    this.bytes = this.memory.next();
    this.received = 0;
    this.take = take;
  }

  /** @returns bytes that were taken */
  add(piece) {
    const part = piece.subarray(0, this.bytes.byteLength - this.received);
    copyBytes(part, this.bytes, this.received);
    this.received += part.byteLength;
    if (this.received === this.bytes.byteLength) {
      this.received = 0;
      this.bytes = this.memory.next();
      this.take();
    }
    return part.byteLength;
  }

  addAll(piece) {
    for (let at = 0; at < piece.byteLength; ) at += this.add(piece.subarray(at));
  }
}

const serverSecurity = ({ certificate, key, authority }) => ({
  ...{ cert: certificate, key, ca: authority },
  requestCert: true,
  rejectUnauthorized: true,
});
const clientSecurity = ({ certificate, key, authority }) => ({
  ...{ cert: certificate, key, ca: authority },
  checkServerIdentity: () => undefined,
});

const listening = (server) =>
  new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));

/** Writes to a Node stream; resolves when the stream has let go of the memory. */
const writing = (stream) => (range) =>
  new Promise((resolve, reject) => stream.write(range, (error) => (error ? reject(error) : resolve())));

/** The connection between workers, with all that is theirs: announcements, checks, checksums in plain text. */
const workers = {
  identity: (member, tls) => ({ run: 'bytes', term: 1, member, key: Buffer.alloc(16, member), tls }),
  peer(member, tls, port) {
    const { key } = this.identity(member, tls);
    const certificateSha256 = tls
      ? createHash('sha256').update(new X509Certificate(tls.certificate).raw).digest()
      : Buffer.alloc(0);
    return { member, address: `127.0.0.1:${port}`, key, certificateSha256 };
  },
  async receive({ tls, take }) {
    const memory = new TransferMemory(
      { arrays: keptRanges },
      (byteLength) => new SharedArrayBuffer(byteLength),
    );
    const kept = [];
    const exchange = {
      namedWeights: ({ version, range }) => ({ kind: 'weights', version, range }),
      wants: () => Promise.resolve(true),
      receive: (_sender, _part, bytes) => {
        if (kept.push(bytes.buffer) === keptRanges) memory.give(kept.shift());
        take();
      },
    };
    const server = await PeerServer.listen({
      ...{ identity: this.identity(2, tls), host: '127.0.0.1', port: 0, limits: peerLimits },
      receiver: (member) => {
        const receiver = new PartReceiver(exchange, member, memory);
        return (message) => receiver.accept(message);
      },
      onRefused: (reason) => {
        throw new Error(reason);
      },
    });
    server.setPeers(new Map([[1, this.peer(1, tls, 1)]]));
    return server.port;
  },
  connect({ tls, port }) {
    const link = new PeerLink(
      ...[this.peer(2, tls, port), this.identity(1, tls), { connectMs: 5_000 }, systemClock],
      {
        onConnected: () => {},
        onSent: () => {},
        onLost: (reason) => {
          throw new Error(reason);
        },
      },
    );
    return (bytes) =>
      link.send({ kind: 'weights', version: 1, range: { start: 0, end: bytes.byteLength / 4 }, bytes });
  },
};

/** gRPC with messages that are the bytes themselves, not encoded or checked. */
const method = {
  ...{ path: '/bench.Bytes/Send', requestStream: true, responseStream: false },
  ...{ requestSerialize: (bytes) => bytes, requestDeserialize: (bytes) => bytes },
  ...{ responseSerialize: (bytes) => bytes, responseDeserialize: (bytes) => bytes },
};
const grpcOptions = {
  'grpc.max_receive_message_length': 4 << 20,
  'grpc-node.flow_control_window': peerReceiveWindow,
  'grpc.use_local_subchannel_pool': 1,
};
const bareGrpc = {
  async receive({ tls, take, rangeBytes }) {
    const server = new grpc.Server(grpcOptions);
    const connections = server.createConnectionInjector(
      tls === null
        ? grpc.ServerCredentials.createInsecure()
        : grpc.ServerCredentials.createSsl(
            tls.authority,
            [{ cert_chain: tls.certificate, private_key: tls.key }],
            true,
          ),
    );
    const windows = new ReceiveWindows(server);
    const assembly = new Assembly(rangeBytes, take);
    server.addService(
      { Send: method },
      {
        async Send(stream, answer) {
          windows.widen(stream.getPeer(), peerReceiveWindow);
          for await (const bytes of stream) assembly.addAll(bytes);
          answer(null, Buffer.alloc(0));
        },
      },
    );
    return listening(net.createServer({ noDelay: true }, (socket) => connections.injectConnection(socket)));
  },
  connect({ tls, port }) {
    const credentials =
      tls === null
        ? grpc.ChannelCredentials.createInsecure()
        : grpc.ChannelCredentials.createFromSecureContext(nodeTls.createSecureContext(clientSecurity(tls)), {
            checkServerIdentity: () => undefined,
          });
    const Client = grpc.makeClientConstructor({ Send: method }, 'bench.Bytes');
    const client = new Client(`127.0.0.1:${port}`, credentials, {
      ...grpcOptions,
      ...(tls && { 'grpc.ssl_target_name_override': 'worker' }),
    });
    return writing(client.Send(() => {}));
  },
};

const bareHttp2 = {
  receive({ tls, take, rangeBytes }) {
    const settings = { settings: { initialWindowSize: peerReceiveWindow } };
    const server = tls
      ? http2.createSecureServer({ ...serverSecurity(tls), ...settings })
      : http2.createServer(settings);
    server.on('session', (session) => session.setLocalWindowSize(peerReceiveWindow));
    server.on('stream', (stream) => {
      const assembly = new Assembly(rangeBytes, take);
      stream.on('data', (piece) => assembly.addAll(piece));
    });
    return listening(server);
  },
  connect({ tls, port }) {
    const session = http2.connect(
      `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
      tls ? clientSecurity(tls) : {},
    );
    return writing(session.request({ ':method': 'POST', ':path': '/' }));
  },
};

const socket = {
  receive({ tls, take, rangeBytes }) {
    const serve = (connection) => {
      const assembly = new Assembly(rangeBytes, take);
      const prefix = Buffer.alloc(prefixBytes);
      let prefixed = 0;
      connection.on('data', (piece) => {
        for (let at = 0; at < piece.byteLength; ) {
          if (prefixed < prefixBytes) {
            prefix[prefixed++] = piece[at++];
            if (prefixed === prefixBytes && prefix.readUInt32LE() !== rangeBytes) {
              throw new Error('a range of another length came');
            }
          } else {
            at += assembly.add(piece.subarray(at));
            if (assembly.received === 0) prefixed = 0;
          }
        }
      });
    };
    const options = { noDelay: true };
    return listening(
      tls
        ? nodeTls.createServer({ ...serverSecurity(tls), ...options }, serve)
        : net.createServer(options, serve),
    );
  },
  connect({ tls, port }) {
    const options = { host: '127.0.0.1', port, noDelay: true };
    const connection = tls ? nodeTls.connect({ ...options, ...clientSecurity(tls) }) : net.connect(options);
    const write = writing(connection);
    return (range) => {
      const prefix = Buffer.alloc(prefixBytes);
      prefix.writeUInt32LE(range.byteLength);
      connection.write(prefix);
      return write(range);
    };
  },
};

/** By name. */
export const bytePaths = { workers, grpc: bareGrpc, http2: bareHttp2, socket };
