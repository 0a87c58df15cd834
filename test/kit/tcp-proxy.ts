import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Transform } from 'node:stream';

/** What a link does to the bytes that pass; changed while they do. */
interface LinkState {
  isPaused: boolean;
  delayMs: number;
  /** Bytes a second in each direction; infinite at first. */
  bytesPerSecond: number;
}

/** A bad network between two processes on this machine: a port of loopback that leads to another. */
export class TcpProxy {
  private readonly links = new Set<{ readonly state: LinkState; readonly ends: readonly [Socket, Socket] }>();
  private fresh: LinkState = { isPaused: false, delayMs: 0, bytesPerSecond: Number.POSITIVE_INFINITY };

  private constructor(
    private readonly server: Server,
    private readonly target: { readonly host: string; readonly port: number },
  ) {
    server.on('connection', (socket) => this.link(socket));
  }

  /** Opens a free port of `host` that leads to `target`, HOST:PORT. */
  static async to(target: string, host = '127.0.0.1'): Promise<TcpProxy> {
    const at = target.lastIndexOf(':');
    const server = createServer({ allowHalfOpen: true });
    server.listen(0, host);
    await once(server, 'listening');
    return new TcpProxy(server, { host: target.slice(0, at), port: Number(target.slice(at + 1)) });
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
    const far = connect({ ...this.target, allowHalfOpen: true });
    const link = { state: { ...this.fresh }, ends: [near, far] as const };
    this.links.add(link);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.setNoDelay(true);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.links.delete(link);
        // A paused link tells nobody that its other end is gone.
        if (!link.state.isPaused) to.destroy();
      });
      from.pipe(passing(link.state)).pipe(to);
    }
  }
}

/** Passes bytes on as the state of the link allows, in order. */
function passing(state: LinkState): Transform {
  return new Transform({
    highWaterMark: 64 << 10,
    transform(chunk: Buffer, _, done) {
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
