import { type ClientHttp2Session, connect } from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';

/** A gRPC message's frame; `announced` lies about the length. */
export function grpcFrame(message: Buffer, announced = message.byteLength, compressed = 0): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(compressed, 0);
  head.writeUInt32BE(announced, 1);
  return Buffer.concat([head, message]);
}

/** Speaks HTTP/2 without gRPC's manners. */
export class Intruder {
  private readonly session: ClientHttp2Session;
  readonly closed: Promise<unknown>;

  constructor(address: string) {
    this.session = connect(`http://${address}`);
    this.session.on('error', () => {});
    this.closed = new Promise((resolve) => this.session.once('close', resolve));
  }

  /**
   * Opens a Join call and sends `frames`, and nothing more where it `ends`; resolves with gRPC's status and its
   * message, or null where there is none.
   */
  async join(
    frames: readonly Buffer[],
    headers: Record<string, string> = {},
    ends = false,
  ): Promise<{ status: number; message: string } | null> {
    const call = this.session.request({
      ':method': 'POST',
      ':path': '/fcaenet.v1.Training/Join',
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    const answer = new Promise<{ status: number; message: string } | null>((resolve) => {
      const look = (fields: Record<string, unknown>) => {
        if (fields['grpc-status'] === undefined) return;
        resolve({
          status: Number(fields['grpc-status']),
          message: decodeURI(String(fields['grpc-message'] ?? '')),
        });
      };
      call.on('response', look);
      call.on('trailers', look);
      call.on('error', () => resolve(null));
      call.once('close', () => resolve(null));
    });
    call.resume();
    for (const frame of frames) call.write(frame);
    if (ends) call.end();
    return answer;
  }

  leave(): void {
    this.session.destroy();
  }
}

/** Sends bytes on a connection of its own and waits until the other side closes it. */
export async function sendRaw(address: string, bytes: Buffer): Promise<void> {
  const [host, port] = address.split(':');
  const socket: Socket = connectTcp(Number(port), host);
  socket.write(bytes);
  await closed(socket);
}

/** Waits for the end of a socket, whichever way it comes. */
export function closed(socket: Socket): Promise<void> {
  socket.on('error', () => {});
  socket.resume();
  return new Promise((resolve) => socket.once('close', () => resolve()));
}
