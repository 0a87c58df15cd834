import { type ClientDuplexStream, connectivityState } from '@grpc/grpc-js';
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
  close(): void;
}

/**
 * Tries once to reach a coordinator. Each attempt has a channel of its own: one that is reused answers from its own
 * back-off, which knows nothing of ours.
 * @throws TransportError TRANSPORT_UNREACHABLE when it is refused, or not answered within `timeoutMs`; the signal's
 * reason when aborted
 */
export async function dial(
  address: string,
  { credentials, options }: Dialling,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Connection> {
  const client = new TrainingClientType(address, credentials, {
    ...channelOptions,
    ...options,
    'grpc.use_local_subchannel_pool': 1,
  });
  try {
    await ready(client, address, timeoutMs, signal);
    return { stream: client.join(), close: () => client.close() };
  } catch (error) {
    client.close();
    throw error;
  }
}

function ready(
  client: TrainingClient,
  address: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  const channel = client.getChannel();
  const deadline = Date.now() + timeoutMs;
  return new Promise((resolve, reject) => {
    const aborted = () => reject(signal.reason);
    signal.addEventListener('abort', aborted, { once: true });
    const settle = (action: () => void) => {
      signal.removeEventListener('abort', aborted);
      action();
    };
    const fail = (reason: string) =>
      settle(() =>
        reject(
          new TransportError('TRANSPORT_UNREACHABLE', `no coordinator answered at ${address}: ${reason}`),
        ),
      );
    const look = () => {
      if (signal.aborted) return;
      const state = channel.getConnectivityState(true);
      if (state === connectivityState.READY) settle(resolve);
      else if (state === connectivityState.TRANSIENT_FAILURE) fail('the connection failed');
      else if (state === connectivityState.SHUTDOWN) fail('the channel was closed');
      else {
        channel.watchConnectivityState(state, deadline, (error) => {
          if (error) fail(`nothing came within ${timeoutMs} ms`);
          else look();
        });
      }
    };
    if (signal.aborted) aborted();
    else look();
  });
}
