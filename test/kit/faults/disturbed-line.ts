import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export type Direction = 'up' | 'down';

/** Bytes in one piece of a stream that are surely part of a tensor. */
const largePiece = 8 << 10;

/**
 * A line between a client and a server on loopback that can be cut, slowed down and disturbed. The address that clients
 * dial stays; where it leads may change.
 */
export class DisturbedLine {
  /** Where connections lead, HOST:PORT; null refuses them. */
  target: string | null = null;
  /** Bytes per second in each direction; null is as fast as it goes. */
  bytesPerSecond: number | null = null;
  private readonly pairs = new Set<Socket[]>();
  private readonly corruptions: Direction[] = [];
  private isCut = false;

  private constructor(private readonly server: Server) {
    server.on('connection', (client) => this.join(client));
  }

  static async open(): Promise<DisturbedLine> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new DisturbedLine(server);
  }

  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Breaks every connection and refuses new ones until `restore`. */
  cut(): void {
    this.isCut = true;
    for (const pair of this.pairs) for (const socket of pair) socket.destroy();
  }

  restore(): void {
    this.isCut = false;
  }

  /** Flips one bit in the middle of the next large piece that goes to the server (`up`) or the client (`down`). */
  corruptNext(direction: Direction): void {
    this.corruptions.push(direction);
  }

  close(): void {
    this.cut();
    this.server.close();
  }

  private join(client: Socket): void {
    if (this.isCut || this.target === null) {
      client.destroy();
      return;
    }
    const [host, port] = this.target.split(':');
    const server = connect(Number(port), host);
    const pair = [client, server];
    this.pairs.add(pair);
    for (const socket of pair) {
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.pairs.delete(pair);
        for (const other of pair) other.destroy();
      });
    }
    this.forward(client, server, 'up');
    this.forward(server, client, 'down');
  }

  private forward(from: Socket, to: Socket, direction: Direction): void {
    from.on('data', (piece: Buffer) => {
      const due = this.corruptions.indexOf(direction);
      if (due >= 0 && piece.byteLength >= largePiece) {
        this.corruptions.splice(due, 1);
        piece[piece.byteLength >> 1]! ^= 1;
      }
      const flows = to.write(piece);
      const holdMs = this.bytesPerSecond === null ? 0 : (1000 * piece.byteLength) / this.bytesPerSecond;
      if (flows && holdMs < 1) return;
      from.pause();
      const resume = () => setTimeout(() => from.resume(), holdMs);
      if (flows) resume();
      else to.once('drain', resume);
    });
    from.on('end', () => to.end());
  }
}
