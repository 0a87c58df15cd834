import * as grpc from '@grpc/grpc-js';
import { service } from './codec.js';
import { TransportError } from './error.js';
import type { CoordinatorMessage } from './generated/fcaenet/v1/CoordinatorMessage.js';
import type { TrainingClient, TrainingDefinition } from './generated/fcaenet/v1/Training.js';
import type { WorkerMessage__Output } from './generated/fcaenet/v1/WorkerMessage.js';

// gRPC's own lines on stderr would repeat our message. Every failure also reaches us as an error.
grpc.setLogVerbosity(grpc.logVerbosity.NONE);

/**
 * Increase it when old and new peers do not understand each other: after such a change to `proto/`, and for a value of a
 * setting that a worker must follow.
 */
export const protocolVersion = 9;

/** Counts the bytes of messages without gRPC framing, and the bytes of tensors that go through shared memory. */
export interface Traffic {
  sentBytes: number;
  receivedBytes: number;
}

const sizes = new WeakMap<WorkerMessage__Output, number>();

/** Size in bytes of a received worker message. */
export function bytesOfMessage(message: WorkerMessage__Output): number {
  return sizes.get(message) ?? 0;
}

const damages = new WeakMap<WorkerMessage__Output, TransportError>();

/** The damage found in a received worker message. A damaged message has no other content. */
export function damageOf(message: WorkerMessage__Output): TransportError | undefined {
  return damages.get(message);
}

/** The service on the coordinator's side: counts traffic and accepts messages that are encoded already. */
export function coordinatorService(traffic: Traffic): TrainingDefinition {
  const { Join } = service;
  return {
    Join: {
      ...Join,
      requestDeserialize: (bytes: Buffer) => {
        traffic.receivedBytes += bytes.byteLength;
        try {
          const message = Join.requestDeserialize(bytes);
          sizes.set(message, bytes.byteLength);
          return message;
        } catch (cause) {
          // Without this, gRPC would end the stream with its own message, and the worker would not be known.
          const nothing: WorkerMessage__Output = { term: 0, checksum: 0 };
          damages.set(
            nothing,
            cause instanceof TransportError
              ? cause
              : new TransportError(
                  'TRANSPORT_BAD_MESSAGE',
                  `a message cannot be decoded (${String(cause)})`,
                  { cause },
                ),
          );
          return nothing;
        }
      },
      responseSerialize: (message: CoordinatorMessage | Buffer) => {
        const bytes = Buffer.isBuffer(message) ? message : Join.responseSerialize(message);
        traffic.sentBytes += bytes.byteLength;
        return bytes;
      },
    },
  };
}

/** Client constructor of the service, for workers. */
export const TrainingClientType = grpc.makeClientConstructor(
  service,
  'fcaenet.v1.Training',
) as unknown as new (
  address: string,
  credentials: grpc.ChannelCredentials,
  options?: grpc.ClientOptions,
) => TrainingClient;

/** Bytes that a worker may send ahead of the coordinator's reading, and the other way round. */
export const receiveWindow = 8 << 20;

/**
 * Channel settings of both sides. Messages have a size limit: a chunk is 1 MiB and other messages are much smaller.
 * Keepalive detects a connection that was cut silently. It must be longer than a microbatch, during which a worker does
 * not answer. A worker detects a cut connection earlier, by the coordinator's `alive` messages.
 */
export const channelOptions = {
  'grpc.max_receive_message_length': 4 << 20,
  'grpc.max_send_message_length': 4 << 20,
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 30_000,
  // With the default window of 64 KiB, at most 64 KiB can be sent per round trip. Servers need `ReceiveWindows` for it.
  'grpc-node.flow_control_window': receiveWindow,
  // Web proxies from the environment usually do not reach private machines.
  'grpc.enable_http_proxy': 0,
} as const;
