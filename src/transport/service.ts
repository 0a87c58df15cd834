import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { checkSeal, seal, unsealed } from './checksum.js';
import { TransportError } from './error.js';
import type { CoordinatorMessage } from './generated/fcaenet/v1/CoordinatorMessage.js';
import type { TrainingClient, TrainingDefinition } from './generated/fcaenet/v1/Training.js';
import type { WorkerMessage__Output } from './generated/fcaenet/v1/WorkerMessage.js';

// Its own lines on stderr would stand beside our one sentence; every failure reaches us as an error.
grpc.setLogVerbosity(grpc.logVerbosity.NONE);

/** Raised whenever a change to `proto/` makes older peers misunderstand newer ones. */
export const protocolVersion = 4;

/** Counts the bytes of messages, gRPC framing excluded, and of tensors that go through shared memory instead. */
export interface Traffic {
  sentBytes: number;
  receivedBytes: number;
}

const definition = loadSync(fileURLToPath(new URL('../../proto/training.proto', import.meta.url)), {
  longs: Number,
  enums: String,
  oneofs: true,
  defaults: true,
});
const { Join: plain } = definition['fcaenet.v1.Training'] as unknown as TrainingDefinition;
/** The service with a checksum at the end of every message, checked before a message is decoded. */
const service: TrainingDefinition = {
  Join: {
    ...plain,
    requestSerialize: (message) => seal(plain.requestSerialize({ ...message, ...unsealed })),
    requestDeserialize: (bytes) => plain.requestDeserialize(checkSeal(bytes)),
    responseSerialize: (message) => seal(plain.responseSerialize({ ...message, ...unsealed })),
    responseDeserialize: (bytes) => plain.responseDeserialize(checkSeal(bytes)),
  },
};

const sizes = new WeakMap<WorkerMessage__Output, number>();

/** Bytes of a worker's message as it arrived. */
export function bytesOfMessage(message: WorkerMessage__Output): number {
  return sizes.get(message) ?? 0;
}

const damages = new WeakMap<WorkerMessage__Output, TransportError>();

/** What was wrong with a worker's message as it arrived; then it holds nothing else. */
export function damageOf(message: WorkerMessage__Output): TransportError | undefined {
  return damages.get(message);
}

/** The wire form of a message, for one that goes to many workers: encoded once, then sent as it is. */
export function encodeCoordinatorMessage(message: CoordinatorMessage): Buffer {
  return service.Join.responseSerialize(message);
}

/** The service as the coordinator offers it: counts traffic and lets encoded messages pass as they are. */
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
          // gRPC would end the stream with a message of its own, and nobody could say whose it was.
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

/** Client constructor of the service, as workers use it. */
export const TrainingClientType = grpc.makeClientConstructor(
  service,
  'fcaenet.v1.Training',
) as unknown as new (
  address: string,
  credentials: grpc.ChannelCredentials,
  options?: grpc.ClientOptions,
) => TrainingClient;

/**
 * Channel settings of both ends. Messages are bounded: a chunk is 1 MiB and nothing else comes near it. Keepalive is
 * the last resort on a connection that was cut without a word, and it must outlast a microbatch, during which a worker
 * answers nothing; a worker itself notices sooner, by the coordinator's `alive`.
 */
export const channelOptions = {
  'grpc.max_receive_message_length': 4 << 20,
  'grpc.max_send_message_length': 4 << 20,
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 30_000,
  // The default window of 64 KiB caps a transfer at 64 KiB a round trip.
  'grpc-node.flow_control_window': 8 << 20,
  // A proxy that the environment names for the web seldom leads to a machine of one's own.
  'grpc.enable_http_proxy': 0,
} as const;
