import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';

const everyMs = 1_000;

/** Where Node tells of each TCP connection of a thread, those of clients and those of servers. */
const channels = ['net.client.socket', 'net.server.socket'] as const;

/**
 * Closes the TCP connections of this thread that the other side has reset, from now on, within a second. Node sees a reset
 * when it reads or writes. But HTTP/2 does not read while it writes, and TLS drops the error of a write whose peer is gone.
 * Then neither happens again, and a killed peer is missed only when the keepalive of gRPC ends, after 40 seconds. The system
 * knows of the reset: the connection has no peer any more.
 * @returns ends it
 */
export function closeLostConnections(): () => void {
  const sockets = new Set<Socket>();
  const add = (message: unknown) => {
    const { socket } = message as { socket: Socket };
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  };
  for (const channel of channels) subscribe(channel, add);
  const timer = setInterval(() => {
    for (const socket of sockets) if (isLost(socket)) socket.destroy();
  }, everyMs).unref();
  return () => {
    clearInterval(timer);
    for (const channel of channels) unsubscribe(channel, add);
  };
}

/** Node keeps the name of the peer, so only the handle asks the system again. Sockets of files have no such question. */
function isLost(socket: Socket): boolean {
  const { _handle: handle } = socket as { _handle?: { getpeername?(name: object): number } | null };
  return !socket.connecting && handle?.getpeername !== undefined && handle.getpeername({}) < 0;
}
