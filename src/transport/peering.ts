import * as grpc from '@grpc/grpc-js';
import { emptyChecksum, verifyChecksum, writeChecksum } from './checksum.js';
import { definition } from './definition.js';
import { TransportError } from './error.js';
import type { PeeringClient, PeeringDefinition } from './generated/fcaenet/v1/Peering.js';
import type { PeerMessage, PeerMessage__Output } from './generated/fcaenet/v1/PeerMessage.js';
import { channelOptions } from './service.js';

/** Under TLS messages have no checksum. */
const { Send: plain } = definition['fcaenet.v1.Peering'] as unknown as PeeringDefinition;

const damages = new WeakMap<PeerMessage__Output, TransportError>();

/** The damage found in a received message. A damaged message has no other content. */
export function damageOfPeer(message: PeerMessage__Output): TransportError | undefined {
  return damages.get(message);
}

/** Without this, gRPC would end the stream with a message of its own. */
function keepingDamage(decode: (bytes: Buffer) => PeerMessage__Output) {
  return (bytes: Buffer): PeerMessage__Output => {
    try {
      return decode(bytes);
    } catch (cause) {
      const nothing: PeerMessage__Output = { checksum: 0 };
      const sentence = `a message cannot be decoded (${String(cause)})`;
      damages.set(
        nothing,
        cause instanceof TransportError
          ? cause
          : new TransportError('TRANSPORT_BAD_MESSAGE', sentence, { cause }),
      );
      return nothing;
    }
  };
}

/** The service between workers. @param isProtected whether its connections use TLS */
export function peeringService(isProtected: boolean): PeeringDefinition {
  const { requestSerialize, requestDeserialize } = plain;
  return {
    Send: isProtected
      ? { ...plain, requestDeserialize: keepingDamage(requestDeserialize) }
      : {
          ...plain,
          requestSerialize: (message) => writeChecksum(requestSerialize({ ...message, ...emptyChecksum })),
          requestDeserialize: keepingDamage((bytes) => requestDeserialize(verifyChecksum(bytes))),
        },
  };
}

/**
 * A client of the service at HOST:PORT.
 * @param isProtected whether the credentials use TLS
 * @param silenceMs without an answer to keepalive, after which the connection is lost
 */
export function peeringClient(
  address: string,
  credentials: grpc.ChannelCredentials,
  isProtected: boolean,
  silenceMs = peerSilenceMs,
): PeeringClient {
  const Client = grpc.makeClientConstructor(peeringService(isProtected), 'fcaenet.v1.Peering');
  return new Client(address, credentials, {
    ...peerChannelOptions,
    ...keepalive(silenceMs),
    // A channel of its own: a shared one would outlive this client.
    'grpc.use_local_subchannel_pool': 1,
    // RFC 6066 forbids an IP address as a server name. Node warns when gRPC sends one.
    ...(isProtected ? { 'grpc.ssl_target_name_override': 'worker' } : {}),
  }) as unknown as PeeringClient;
}

/** The wire form of a message that the coordinator relays: without checksum. */
export function encodePeerMessage(message: PeerMessage): Buffer {
  return plain.requestSerialize(message);
}

/** The inverse of {@link encodePeerMessage}. Throws what the decoder throws on other bytes. */
export function decodePeerMessage(bytes: Uint8Array): PeerMessage__Output {
  return plain.requestDeserialize(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}

/**
 * Silence after which a connection is lost: that after which a worker gives up the coordinator. A thread that does nothing
 * else answers keepalive, however long the worker computes and however long a range has to wait. What delays an answer is
 * the data before it, up to a window of 4 MiB, and where processors are scarce the other peers' data, too.
 */
const peerSilenceMs = 12_000;

function keepalive(silenceMs: number) {
  const everyMs = silenceMs / 6;
  return { 'grpc.keepalive_time_ms': everyMs, 'grpc.keepalive_timeout_ms': silenceMs - everyMs };
}

/** Bytes that a worker may send ahead of a peer's reading. */
export const peerReceiveWindow = 4 << 20;

/** Channel settings of both sides. */
export const peerChannelOptions = {
  ...channelOptions,
  ...keepalive(peerSilenceMs),
  'grpc-node.flow_control_window': peerReceiveWindow,
} as const;
