import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Transform } from 'node:stream';

/** What a link does to the bytes that pass; changed while they do. */
interface LinkState {
  isPaused: boolean;
  delayMs: number;
  /** Bytes a second in each direction; infinite at first. */
  bytesPerSecond: number;
  /** Bits still to be flipped on the way to the target (up) and from it (down); shared by all connections. */
  readonly corruptions: Record<Direction, number>;
  /** Bytes that have come. */
  readonly carried: Record<Direction, number>;
}

export type Direction = 'up' | 'down';

/** Bytes in one piece of a stream that are surely part of a tensor. */
const largePieceBytes = 8 << 10;

/** A bad network between two processes on this machine: a port of loopback that leads to another. */
export class TcpProxy {
  private readonly links = new Set<{ readonly state: LinkState; readonly ends: readonly [Socket, Socket] }>();
  private fresh: LinkState = {
    isPaused: false,
    delayMs: 0,
    bytesPerSecond: Number.POSITIVE_INFINITY,
    corruptions: { up: 0, down: 0 },
    carried: { up: 0, down: 0 },
  };

  private constructor(
    private readonly server: Server,
    private target: { readonly host: string; readonly port: number } | null,
  ) {
    server.on('connection', (socket) => this.link(socket));
  }

  /** Opens a free port of `host` that leads to `target`, HOST:PORT; to nowhere where it is null. */
  static async to(target: string | null, host = '127.0.0.1'): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true });
    server.listen(0, host);
    await once(server, 'listening');
    return new TcpProxy(server, placeOf(target));
  }

  /** From now on new connections lead to `target`, HOST:PORT; null refuses them. */
  leadTo(target: string | null): void {
    this.target = placeOf(target);
  }

  /** Flips one bit in the middle of the next large piece that goes to the target (`up`) or comes from it (`down`). */
  corruptNext(direction: Direction): void {
    this.fresh.corruptions[direction]++;
  }

  /** Bytes that each open connection has carried. */
  get carried(): Readonly<Record<Direction, number>>[] {
    return [...this.links].map(({ state }) => state.carried);
  }

  get port(): number {
    return (this.server.address() as { port: number }).port;
  }

  /** Lets no byte pass and closes nothing, like a network that drops every packet; new connections get no answer. */
  pause(): void {
    this.fresh = { ...this.fresh, isPaused: true };
    for (const { state } of this.links) state.isPaused = true;
  }

  /** New connections pass again; those that are paused stay so. */
  admitNew(): void {
    this.fresh = { ...this.fresh, isPaused: false };
  }

  /** Everything passes again, what was held back first. */
  resume(): void {
    this.admitNew();
    for (const { state } of this.links) state.isPaused = false;
  }

  /** Resets every connection that is open. */
  cut(): void {
    for (const { ends } of this.links) for (const end of ends) end.resetAndDestroy();
  }

  /** Holds every byte back for so long, on open connections too. */
  delay(delayMs: number): void {
    this.fresh = { ...this.fresh, delayMs };
    for (const { state } of this.links) state.delayMs = delayMs;
  }

  /** Lets so many bytes a second pass in each direction of each connection. */
  throttle(bytesPerSecond: number): void {
    this.fresh = { ...this.fresh, bytesPerSecond };
    for (const { state } of this.links) state.bytesPerSecond = bytesPerSecond;
  }

  async close(): Promise<void> {
    this.resume();
    this.cut();
    this.server.close();
    await once(this.server, 'close');
  }

  private link(near: Socket): void {
    if (this.target === null) {
      near.resetAndDestroy();
      return;
    }
    const far = connect({ ...this.target, allowHalfOpen: true });
    const link = { state: { ...this.fresh, carried: { up: 0, down: 0 } }, ends: [near, far] as const };
    this.links.add(link);
    for (const [from, to, direction] of [
      [near, far, 'up'],
      [far, near, 'down'],
    ] as const) {
      from.setNoDelay(true);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.links.delete(link);
        // A paused link tells nobody that its other end is gone.
        if (!link.state.isPaused) to.destroy();
      });
      from.pipe(passing(link.state, direction)).pipe(to);
    }
  }
}

function placeOf(target: string | null): { host: string; port: number } | null {
  if (target === null) return null;
  const at = target.lastIndexOf(':');
  return { host: target.slice(0, at), port: Number(target.slice(at + 1)) };
}

/** Passes bytes on as the state of the link allows, in order. */
function passing(state: LinkState, direction: Direction): Transform {
  return new Transform({
    highWaterMark: 64 << 10,
    transform(chunk: Buffer, _, done) {
      state.carried[direction] += chunk.length;
      if (state.corruptions[direction] > 0 && chunk.length >= largePieceBytes) {
        state.corruptions[direction]--;
        chunk[chunk.length >> 1]! ^= 1;
      }
      const readyAt = performance.now() + state.delayMs + (1000 * chunk.length) / state.bytesPerSecond;
      const attempt = () => {
        if (state.isPaused) setTimeout(attempt, 20).unref();
        else if (performance.now() < readyAt) setTimeout(attempt, readyAt - performance.now()).unref();
        else done(null, chunk);
      };
      attempt();
    },
  });
}
