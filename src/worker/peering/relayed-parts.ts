import type { PeerMessage__Output } from '../../transport/generated/fcaenet/v1/PeerMessage.js';
import { decodePeerMessage } from '../../transport/peering.js';

type Accept = (message: PeerMessage__Output) => Promise<void>;

/** Messages of peers that come through the coordinator. Those of one peer are taken one after the other. */
export class RelayedParts {
  private readonly peers = new Map<number, { readonly accept: Accept; tail: Promise<void> }>();

  /**
   * @param receiver takes the messages of a peer
   * @param onRefused called once for a peer whose message is wrong; its later ones are dropped
   */
  constructor(
    private readonly receiver: (member: number) => Accept,
    private readonly onRefused: (reason: string) => void,
  ) {}

  /** Forgets peers that have left. */
  setPeers(members: ReadonlyMap<number, unknown>): void {
    for (const member of this.peers.keys()) if (!members.has(member)) this.peers.delete(member);
  }

  accept(member: number, message: Uint8Array): void {
    const peer = this.peers.get(member) ?? { accept: this.receiver(member), tail: Promise.resolve() };
    this.peers.set(member, peer);
    const taken = peer.tail.then(() => peer.accept(decodePeerMessage(message)));
    peer.tail = taken;
    // The failure of one message is the failure of all after it.
    taken.catch((error) => {
      if (this.peers.get(member) !== peer) return;
      this.peers.set(member, { accept: () => Promise.resolve(), tail: Promise.resolve() });
      this.onRefused(error instanceof Error ? error.message : String(error));
    });
  }
}
