import { realpathSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import {
  answerControl,
  type ControlHandler,
  controlBounds,
  controlRefusal,
  controlTimeoutMs,
} from './message.js';
import { placeForSocket } from './socket-path.js';

const idleMs = 10_000;
/** Requests at the same time; more are told that the coordinator is busy. */
const mostRequests = 16;
const mostConnections = 4 * mostRequests;
/** Time in which a client takes in that the coordinator is busy. */
const busyMs = 1_000;
const busy = `the coordinator is busy with ${mostRequests} other requests; try again`;

/**
 * Answers control requests on a Unix-domain socket that only this user can open. A request is one line of JSON, and so
 * is its answer.
 * @param path where the socket is; an older one there is replaced
 * @returns closes it; `isOwn` false keeps what another process created at `path` since
 */
export async function serveControlSocket(
  path: string,
  handler: ControlHandler,
): Promise<{ close(isOwn: boolean): Promise<void> }> {
  const place = placeForSocket(path);
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    socket.on('error', () => socket.destroy());
    if (open.size > mostRequests) {
      // It closes after the client has: what the client still sends would end its connection with an error.
      socket.write(`${JSON.stringify(controlRefusal('CONTROL_BUSY', busy))}\n`);
      socket.resume();
      setTimeout(() => socket.destroy(), busyMs).unref();
      return;
    }
    socket.setTimeout(idleMs, () => socket.destroy());
    readLine(socket, controlBounds.requestBytes, async (line) => {
      socket.setTimeout(0);
      socket.end(`${await answerControl(line, handler)}\n`);
    });
  });
  server.maxConnections = mostConnections;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      place.clear();
      reject(error);
    });
    // The socket is made inside `listen`, before it returns.
    const before = process.umask(0o177);
    try {
      server.listen(place.made, resolve);
    } finally {
      process.umask(before);
    }
  });
  place.publish();
  return {
    close: async (isOwn) => {
      if (isOwn) rmSync(path, { force: true });
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      place.clear();
    },
  };
}

/**
 * Sends one request and returns the answer's line.
 * @throws Error when nobody listens, or nobody answers in time
 */
export function askControlSocket(path: string, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(realpathSync(path), () => socket.write(`${request}\n`));
    socket.setTimeout(controlTimeoutMs, () =>
      socket.destroy(new Error(`no answer in ${controlTimeoutMs / 1000} s`)),
    );
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the coordinator closed the connection without an answer')));
    readLine(socket, controlBounds.replyBytes, (line) => {
      resolve(line);
      socket.destroy();
    });
  });
}

/** Calls back with the first line, or with the bytes so far when the line is too long. */
function readLine(socket: Socket, mostBytes: number, done: (line: string) => void): void {
  let text = Buffer.alloc(0);
  const onData = (data: Buffer) => {
    text = Buffer.concat([text, data]);
    const end = text.indexOf('\n');
    if (end < 0 && text.length <= mostBytes) return;
    socket.off('data', onData);
    done(text.subarray(0, end < 0 ? undefined : end).toString());
  };
  socket.on('data', onData);
}
