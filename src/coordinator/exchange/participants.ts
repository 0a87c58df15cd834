import type { ExchangeOrder } from '../../transport/generated/fcaenet/v1/ExchangeOrder.js';
import { encodeCoordinatorMessage } from '../../transport/codec.js';
import type { Member } from '../dispatch/member.js';
import type { WorkerPool } from '../dispatch/pool.js';

/** Fewer workers use the star: with one there is nobody to exchange with. */
const fewest = 2;

/** Whether a worker can take part: others reach it, and it does not share memory with this process anyway. */
export function canTakePart({ peerAddress, sharedMemory }: Member): boolean {
  return peerAddress !== '' && sharedMemory === null;
}

/**
 * The workers that know of one another and exchange gradients and weights. Peers of a worker that leaves are told at
 * once.
 */
export class Participants {
  private members: readonly Member[] = [];

  /** @param isOn false never uses the exchange */
  constructor(
    readonly pool: WorkerPool,
    private readonly isOn: boolean,
  ) {
    pool.on('gone', (member) => {
      if (this.members.includes(member)) this.tell(this.members.filter((each) => each !== member));
    });
  }

  /**
   * The workers that exchange what comes next; null when it takes the star: with too few workers, and when one of them
   * cannot take part.
   */
  choose(): readonly Member[] | null {
    const members = this.pool.available();
    return this.isOn && members.length >= fewest && members.every(canTakePart) ? members : null;
  }

  /** Tells the members of one another, where they do not know yet. */
  tell(members: readonly Member[]): void {
    this.members = members;
    const key = members.map(({ number }) => number).join();
    const ignorant = members.filter(({ toldPeers }) => toldPeers !== key);
    if (ignorant.length === 0) return;
    const peers = members.map(({ number, peerAddress, peerKey, certificateSha256 }) => ({
      member: number,
      address: peerAddress,
      key: peerKey,
      certificateSha256,
    }));
    const message = this.encode({ peers: { peers } });
    for (const member of ignorant) {
      member.toldPeers = key;
      void member.outbox.send(message);
    }
  }

  /** Encodes a message once for many members. */
  encode(exchange: ExchangeOrder): Buffer {
    return encodeCoordinatorMessage({ term: this.pool.term, exchange });
  }
}
