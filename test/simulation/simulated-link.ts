import type { SimulatedTime } from './simulated-clock.js';

interface Waiting {
  bytesLeft: number;
  readonly carried: () => void;
}

/** Bytes of a connection that are carried before another has its turn, as packets are. */
const packetBytes = 50;

/**
 * One direction of the coordinator's network, which all its connections share. It carries so many bytes a second, and
 * takes a packet of each connection in turn.
 */
export class SimulatedLink {
  /** What waits or is being carried, by connection. The connection whose turn it is stands first. */
  private readonly queues = new Map<object, Waiting[]>();
  private isBusy = false;

  constructor(
    private readonly time: SimulatedTime,
    /** Infinite where nothing ever waits. */
    private readonly bytesPerSecond: number,
  ) {}

  /** @param carried called when the last byte has left */
  carry(connection: object, byteLength: number, carried: () => void): void {
    if (this.bytesPerSecond === Number.POSITIVE_INFINITY) {
      carried();
      return;
    }
    const queue = this.queues.get(connection) ?? [];
    this.queues.set(connection, queue);
    queue.push({ bytesLeft: byteLength, carried });
    if (!this.isBusy) this.carryNext();
  }

  /** Number of messages of a connection that have not left. */
  waitingOf(connection: object): number {
    return this.queues.get(connection)?.length ?? 0;
  }

  /** Forgets what waits: the connection is gone. */
  drop(connection: object): void {
    this.queues.delete(connection);
  }

  private carryNext(): void {
    const [next] = this.queues;
    this.isBusy = next !== undefined;
    if (!next) return;
    const [connection, queue] = next;
    const message = queue[0]!;
    const bytes = Math.min(packetBytes, message.bytesLeft);
    this.time.after((1000 * bytes) / this.bytesPerSecond, () => {
      if (this.queues.get(connection) === queue) {
        message.bytesLeft -= bytes;
        if (message.bytesLeft === 0) queue.shift();
        this.queues.delete(connection);
        if (queue.length > 0) this.queues.set(connection, queue);
        if (message.bytesLeft === 0) message.carried();
      }
      this.carryNext();
    });
  }
}
