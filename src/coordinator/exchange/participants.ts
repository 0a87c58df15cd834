import { formatAddress, isLoopback, parseAddress } from '../../run/address.js';
import { encodeCoordinatorMessage } from '../../transport/codec.js';
import type { ExchangeOrder } from '../../transport/generated/fcaenet/v1/ExchangeOrder.js';
import type { Peer } from '../../transport/peers/identity.js';
import type { Member } from '../dispatch/member.js';
import type { WorkerPool } from '../dispatch/pool.js';
import type { RangeConnections } from './range-connections.js';

/** Fewer workers use the star: with one there is nobody to exchange with. */
const fewest = 2;

/** Pairs of workers, counted in both directions. */
export interface BlockedPairs {
  /** Those that cannot connect. */
  readonly blocked: number;
  readonly pairs: number;
}

/**
 * Whether the coordinator carries more for pairs that cannot connect than in the star. With G bytes of gradient and W of
 * weights it carries G + W and, for each of these, (G + W) / N in and as much out; in the star it carries N (G + W).
 */
function isCostly({ blocked, pairs }: BlockedPairs): boolean {
  return 2 * blocked > pairs;
}

/** Whether a worker can take part: others reach it. */
export function canTakePart({ peerAddress }: Member): boolean {
  return peerAddress !== '';
}

/**
 * Where others reach a worker. One of this machine that knows only its loopback address is where they reach this process.
 * @param coordinatorHost the address at which they have connected to this process
 */
function addressFrom({ peerAddress }: Member, coordinatorHost: string): string {
  const { host, port } = parseAddress(peerAddress)!;
  return isLoopback(host) && !isLoopback(coordinatorHost)
    ? formatAddress(coordinatorHost, port)
    : peerAddress;
}

/**
 * The workers that know of one another and exchange gradients and weights. Peers of a worker that leaves are told at
 * once.
 */
export class Participants {
  private members: readonly Member[] = [];
  /** For each member by its number: those that it cannot reach. They also connect anew when one of them takes part again. */
  private readonly unreached = new Map<number, Set<number>>();
  private hasSaidBlocked = false;

  /**
   * @param isOn false never uses the exchange
   * @param connections null sends and gets all ranges over the workers' own streams
   */
  constructor(
    readonly pool: WorkerPool,
    private readonly isOn: boolean,
    private readonly connections: Pick<RangeConnections, 'follow' | 'selfFor' | 'onChange'> | null = null,
  ) {
    if (connections) connections.onChange = () => this.tell(this.members);
    pool.on('gone', (member) => {
      if (this.members.includes(member)) this.tell(this.members.filter((each) => each !== member));
      this.unreached.delete(member.number);
    });
    pool.on('peerUnreachable', ({ number }, other) => {
      this.unreached.set(number, (this.unreached.get(number) ?? new Set()).add(other.number));
    });
    pool.on('peerReached', ({ number }, other) => this.unreached.get(number)?.delete(other.number));
  }

  /**
   * The workers that exchange what comes next; null when it takes the star: with too few workers, when one of them
   * cannot take part, and when most pairs cannot connect.
   */
  choose(): readonly Member[] | null {
    const members = this.willing();
    return members.length >= fewest && !isCostly(this.blockedIn(members)) ? members : null;
  }

  /** The pairs of workers that cannot connect, when for them the star is used; null when that was said last time. */
  news(): BlockedPairs | null {
    const blocked = this.blockedIn(this.willing());
    const isNew = isCostly(blocked) && !this.hasSaidBlocked;
    this.hasSaidBlocked = isCostly(blocked);
    return isNew ? blocked : null;
  }

  /** Tells the members of one another, where they do not know yet. */
  tell(members: readonly Member[]): void {
    for (const { number } of members.filter((member) => !this.members.includes(member))) {
      this.unreached.delete(number);
      for (const others of this.unreached.values()) others.delete(number);
    }
    this.members = members;
    this.connections?.follow(members);
    const numbers = members.map(({ number }) => number).join();
    const messages = new Map<string, Buffer>();
    for (const member of members) {
      const coordinator = this.connections?.selfFor(member) ?? null;
      const key = `${numbers} ${coordinator !== null}`;
      if (member.toldPeers === key) continue;
      member.toldPeers = key;
      // Most are told the same.
      const { coordinatorHost } = member;
      const same = `${coordinatorHost} ${coordinator !== null}`;
      const message = messages.get(same) ?? this.peersMessage(members, coordinatorHost, coordinator);
      messages.set(same, message);
      void member.outbox.send(message);
    }
  }

  private peersMessage(members: readonly Member[], host: string, coordinator: Peer | null): Buffer {
    const peers = members.map((member) => ({
      member: member.number,
      address: addressFrom(member, host),
      key: member.peerKey,
      certificateSha256: member.certificateSha256,
    }));
    return this.encode({
      peers: {
        peers,
        coordinator: coordinator && {
          ...coordinator,
          key: Buffer.from(coordinator.key),
          certificateSha256: Buffer.from(coordinator.certificateSha256),
        },
      },
    });
  }

  /** The workers that would exchange if all could connect. */
  private willing(): readonly Member[] {
    const members = this.pool.available();
    return this.isOn && members.every(canTakePart) ? members : [];
  }

  private blockedIn(members: readonly Member[]): BlockedPairs {
    const numbers = new Set(members.map(({ number }) => number));
    const blocked = members.flatMap(({ number }) =>
      [...(this.unreached.get(number) ?? [])].filter((other) => numbers.has(other)),
    );
    return { blocked: blocked.length, pairs: members.length * (members.length - 1) };
  }

  /** Encodes a message once for many members. */
  encode(exchange: ExchangeOrder): Buffer {
    return encodeCoordinatorMessage({ term: this.pool.term, exchange });
  }
}
