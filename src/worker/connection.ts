import { connect } from 'node:net';
import { type ClientDuplexStream, connectivityState } from '@grpc/grpc-js';
import { parseAddress } from '../run/address.js';
import type { Dialling } from '../transport/credentials.js';
import { TransportError } from '../transport/error.js';
import type { CoordinatorMessage__Output } from '../transport/generated/fcaenet/v1/CoordinatorMessage.js';
import type { TrainingClient } from '../transport/generated/fcaenet/v1/Training.js';
import type { WorkerMessage } from '../transport/generated/fcaenet/v1/WorkerMessage.js';
import { channelOptions, TrainingClientType } from '../transport/service.js';

export type CoordinatorStream = ClientDuplexStream<WorkerMessage, CoordinatorMessage__Output>;

/** An open stream to a coordinator, and the channel it is on. */
export interface Connection {
  readonly stream: CoordinatorStream;
  /** IP address of this end. */
  readonly localAddress: string;
  close(): void;
}

/**
 * Tries once to reach a coordinator. Each attempt uses a new channel: a reused channel has its own back-off, which
 * would override ours. First it checks that the port accepts connections: a gRPC channel whose connection was refused
 * tries once more after it was closed, and that connection would belong to nobody.
 * @throws TransportError TRANSPORT_UNREACHABLE when it is refused, or not answered within `timeoutMs`; the signal's
 * reason when aborted
 */
export async function dial(
  { address, target, credentials, options }: Dialling,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Connection> {
  const deadline = Date.now() + timeoutMs;
  const tooLate = `no data came within ${timeoutMs} ms`;
  const localAddress = await listening(target, timeoutMs, tooLate, signal);
  const client = new TrainingClientType(target, credentials, {
    ...channelOptions,
    ...options,
    'grpc.use_local_subchannel_pool': 1,
  });
  try {
    await ready(client, address, deadline, tooLate, signal);
    return { stream: client.join(), localAddress, close: () => client.close() };
  } catch (error) {
    client.close();
    throw error;
  }
}

/** Resolves with this end's IP address when a connection succeeds, and closes it without data. */
function listening(
  address: string,
  timeoutMs: number,
  tooLate: string,
  signal: AbortSignal,
): Promise<string> {
  const { host, port } = parseAddress(address) ?? { host: address, port: 0 };
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: timeoutMs });
    const settle = (action: () => void) => {
      signal.removeEventListener('abort', aborted);
      socket.destroy();
      action();
    };
    const aborted = () => settle(() => reject(signal.reason));
    signal.addEventListener('abort', aborted, { once: true });
    socket.once('connect', () => {
      const { localAddress } = socket;
      settle(() => resolve(localAddress!));
    });
    socket.once('timeout', () => settle(() => reject(unreachable(address, tooLate))));
    socket.on('error', ({ message }) => settle(() => reject(unreachable(address, message))));
    if (signal.aborted) aborted();
  });
}

function unreachable(address: string, reason: string): TransportError {
  return new TransportError('TRANSPORT_UNREACHABLE', `no coordinator answered at ${address}: ${reason}`);
}

function ready(
  client: TrainingClient,
  address: string,
  deadline: number,
  tooLate: string,
  signal: AbortSignal,
): Promise<void> {
  const channel = client.getChannel();
  return new Promise((resolve, reject) => {
    const aborted = () => reject(signal.reason);
    signal.addEventListener('abort', aborted, { once: true });
    const settle = (action: () => void) => {
      signal.removeEventListener('abort', aborted);
      action();
    };
    const fail = (reason: string) => settle(() => reject(unreachable(address, reason)));
    const look = () => {
      if (signal.aborted) return;
      const state = channel.getConnectivityState(true);
      if (state === connectivityState.READY) settle(resolve);
      else if (state === connectivityState.TRANSIENT_FAILURE) fail('the connection failed');
      else if (state === connectivityState.SHUTDOWN) fail('the channel was closed');
      else {
        channel.watchConnectivityState(state, deadline, (error) => {
          if (error) fail(tooLate);
          else look();
        });
      }
    };
    if (signal.aborted) aborted();
    else look();
  });
}
