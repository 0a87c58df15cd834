import { renameSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { answerControl, type ControlHandler, controlBounds, controlTimeoutMs } from './message.js';

/** Longer paths do not fit into a socket's address. */
const longestPath = 100;
const idleMs = 10_000;

/**
 * Answers control requests on a Unix-domain socket that only this user can open: a line of JSON each, and a line back.
 * @param path where the socket is; an older one there is replaced
 * @returns closes it; what another process put at `path` since stays when `isOwn` says so
 */
export async function serveControlSocket(
  path: string,
  handler: ControlHandler,
): Promise<{ close(isOwn: boolean): Promise<void> }> {
  // Closing a socket removes the path it was made with: made elsewhere, it cannot remove a successor's.
  const made = `${path}.${process.pid}`;
  if (made.length > longestPath) {
    throw new Error(
      `its path has ${made.length} letters, more than the ${longestPath} that a socket's may have`,
    );
  }
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    socket.setTimeout(idleMs, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    readLine(socket, controlBounds.requestBytes, async (line) => {
      socket.setTimeout(0);
      socket.end(`${await answerControl(line, handler)}\n`);
    });
  });
  server.maxConnections = 16;
  rmSync(made, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    // The socket is made inside `listen`, before it returns.
    const before = process.umask(0o177);
    try {
      server.listen(made, resolve);
    } finally {
      process.umask(before);
    }
  });
  renameSync(made, path);
  return {
    close: async (isOwn) => {
      if (isOwn) rmSync(path, { force: true });
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/**
 * Sends one request and returns the line that answers it.
 * @throws Error when nobody listens, or nobody answers in time
 */
export function askControlSocket(path: string, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path, () => socket.write(`${request}\n`));
    socket.setTimeout(controlTimeoutMs, () =>
      socket.destroy(new Error(`no answer in ${controlTimeoutMs / 1000} s`)),
    );
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('it closed the connection without an answer')));
    readLine(socket, controlBounds.replyBytes, (line) => {
      resolve(line);
      socket.destroy();
    });
  });
}

/** Calls back with the first line, or with what there is when the line is too long. */
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
