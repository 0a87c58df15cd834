import { encodePeerMessage } from '../../transport/peering.js';
import type { OutgoingPart } from '../exchange/output.js';
import { messagesOf } from '../exchange/part-messages.js';
import type { Peer, PeerIdentity } from './identity.js';
import { PartQueue } from './part-queue.js';
import { PeerLink } from './peer-link.js';

export interface PeerLinksOptions {
  readonly identity: PeerIdentity;
  readonly connectMs: number;
  /** Called once for a peer that cannot be reached. Everything that it may lack is sent again from then on. */
  readonly onUnreachable: (member: number, reason: string) => void;
  /** Sends a message through the coordinator. Resolves when the next one may follow. */
  readonly relay: (member: number, message: Buffer) => Promise<void>;
  /** Called with bytes of tensors that leave for a peer directly. */
  readonly onMoved: (bytes: number) => void;
  /** Called after each part, sent or not. */
  readonly onSent: () => void;
}

/** What leads to one peer: a link, or the coordinator. */
interface Way {
  readonly queue: PartQueue;
  readonly close: () => void;
}

/** The ways to all peers. */
export class PeerLinks {
  private readonly ways = new Map<number, Way>();
  /** Queues of ended ways whose last part is still read. */
  private readonly closing = new Set<PartQueue>();

  constructor(private readonly options: PeerLinksOptions) {}

  setPeers(peers: ReadonlyMap<number, Peer>): void {
    for (const member of [...this.ways.keys()]) if (!peers.has(member)) this.end(member);
    for (const peer of peers.values()) if (!this.ways.has(peer.member)) this.connect(peer);
  }

  send(member: number, part: OutgoingPart): void {
    this.ways.get(member)?.queue.push(part);
  }

  /** Forgets parts in this memory that are not on their way yet. */
  drop(buffer: ArrayBufferLike): void {
    for (const { queue } of this.ways.values()) queue.drop(buffer);
  }

  /** Whether a part in this memory is on its way. */
  isReading(buffer: ArrayBufferLike): boolean {
    const queues = [...this.ways.values()].map(({ queue }) => queue);
    return [...queues, ...this.closing].some((queue) => queue.isReading(buffer));
  }

  close(): void {
    for (const member of [...this.ways.keys()]) this.end(member);
  }

  private connect(peer: Peer): void {
    const { identity, connectMs, onUnreachable, onMoved } = this.options;
    const { member } = peer;
    const onLost = (reason: string) => {
      this.end(member);
      this.relayTo(member);
      onUnreachable(member, reason);
    };
    const link = new PeerLink(peer, identity, connectMs, onLost, onMoved);
    this.open(
      member,
      (part) => link.send(part),
      () => link.close(),
    );
  }

  private relayTo(member: number): void {
    const { relay } = this.options;
    let transfers = 0;
    let isOver = false;
    const send = async (part: OutgoingPart) => {
      for (const message of messagesOf(part, ++transfers)) {
        if (isOver) return;
        await relay(member, encodePeerMessage(message));
      }
    };
    this.open(member, send, () => {
      isOver = true;
    });
  }

  private open(member: number, send: (part: OutgoingPart) => Promise<void>, close: () => void): void {
    const queue = new PartQueue(send, () => {
      if (!queue.isBusy) this.closing.delete(queue);
      this.options.onSent();
    });
    this.ways.set(member, { queue, close });
  }

  /** Ends the way to a member. What is on it is read until its stream has let go of it. */
  private end(member: number): void {
    const { queue, close } = this.ways.get(member)!;
    this.ways.delete(member);
    queue.close();
    close();
    if (queue.isBusy) this.closing.add(queue);
  }
}
