import type { Clock } from '../../clock.js';
import { encodePeerMessage } from '../../transport/peering.js';
import type { Peer, PeerIdentity } from '../../transport/peers/identity.js';
import { callPatience, nextPauseMs } from '../../transport/peers/patience.js';
import type { CallPatience } from '../../transport/peers/peer-call.js';
import type { OutgoingPart } from '../exchange/output.js';
import { messagesOf } from '../exchange/part-messages.js';
import { PartQueue } from './part-queue.js';
import { PeerLink } from './peer-link.js';

/** How long a worker waits for its peers, in milliseconds. */
export interface PeerPatience extends CallPatience {
  /** As of {@link callPatience}. */
  readonly firstPauseMs: number;
}

const { connectMs, connectAgainMs, firstPauseMs } = callPatience;
export const peerPatience: PeerPatience = { connectMs, firstPauseMs };

export interface PeerLinksOptions {
  readonly identity: PeerIdentity;
  readonly clock: Clock;
  readonly patience: PeerPatience;
  /** Called when the way to a peer is lost. Everything that it may lack is sent again from then on. */
  readonly onUnreachable: (member: number, reason: string) => void;
  /** Called when a peer that was lost is reached again. */
  readonly onReached: (member: number) => void;
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

/** The ways to all peers. While a peer cannot be reached, what is for it goes through the coordinator. */
export class PeerLinks {
  private readonly ways = new Map<number, Way>();
  /** Ends the attempts to reach peers that are not reached. */
  private readonly attempts = new Map<number, () => void>();
  /** When the last part for a peer has gone through the coordinator, which gets one after the other. */
  private readonly relayed = new Map<number, Promise<void>>();
  /** Queues of ended ways whose last part is still read. */
  private readonly closing = new Set<PartQueue>();

  constructor(private readonly options: PeerLinksOptions) {}

  setPeers(peers: ReadonlyMap<number, Peer>): void {
    for (const member of [...this.ways.keys()]) {
      if (peers.has(member)) continue;
      this.end(member);
      this.relayed.delete(member);
    }
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
    const { identity, clock, patience, onMoved: onSent } = this.options;
    const onLost = this.losing(peer, patience.firstPauseMs);
    this.use(peer, new PeerLink(peer, identity, patience, clock, { onConnected: () => {}, onLost, onSent }));
  }

  /** What happens when the link to a peer is lost. @param pauseMs until the next attempt to reach it */
  private losing(peer: Peer, pauseMs: number) {
    return (reason: string, isRefused: boolean) => {
      const { member } = peer;
      this.end(member);
      this.relayTo(member);
      // A peer that has refused this worker would do it again.
      if (!isRefused) this.tryLater(peer, pauseMs);
      this.options.onUnreachable(member, reason);
    };
  }

  /** Tries to reach a peer again, until it succeeds. */
  private tryLater(peer: Peer, pauseMs: number): void {
    const { identity, clock, onReached, onMoved: onSent } = this.options;
    const patience = { ...this.options.patience, connectMs: connectAgainMs };
    const { member } = peer;
    const nextMs = nextPauseMs(pauseMs);
    const attempt = () => {
      let isUsed = false;
      const lose = this.losing(peer, nextMs);
      const link = new PeerLink(peer, identity, patience, clock, {
        onConnected: () => {
          isUsed = true;
          this.attempts.delete(member);
          this.replaceRelay(peer, link);
          onReached(member);
        },
        onLost: (...why) => {
          if (isUsed) lose(...why);
          else this.tryLater(peer, nextMs);
        },
        onSent,
      });
      this.attempts.set(member, () => link.close());
    };
    this.attempts.set(member, clock.after(pauseMs, attempt));
  }

  /** A part that is on its way through the coordinator goes on there, and the others go directly. */
  private replaceRelay(peer: Peer, link: PeerLink): void {
    const { queue } = this.ways.get(peer.member)!;
    const waiting = queue.close();
    if (queue.isBusy) this.closing.add(queue);
    this.use(peer, link);
    for (const part of waiting) this.send(peer.member, part);
  }

  private use({ member }: Peer, link: PeerLink): void {
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
    const sendNext = async (part: OutgoingPart) => {
      for (const message of messagesOf(part, ++transfers)) {
        if (isOver) return;
        await relay(member, encodePeerMessage(message));
      }
    };
    const send = (part: OutgoingPart) => {
      const sent = (this.relayed.get(member) ?? Promise.resolve()).then(() => sendNext(part));
      this.relayed.set(member, sent);
      return sent;
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
    this.attempts.get(member)?.();
    this.attempts.delete(member);
    queue.close();
    close();
    if (queue.isBusy) this.closing.add(queue);
  }
}
