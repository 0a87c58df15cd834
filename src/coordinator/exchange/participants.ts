import type { ExchangeOrder } from '../../transport/generated/fcaenet/v1/ExchangeOrder.js';
import type { WeightsMissing__Output } from '../../transport/generated/fcaenet/v1/WeightsMissing.js';
import { encodeCoordinatorMessage } from '../../transport/service.js';
import type { Member } from '../dispatch/member.js';
import type { OutgoingWeights } from '../dispatch/outgoing-weights.js';
import type { WorkerPool } from '../dispatch/pool.js';
import { cutRanges } from './ranges.js';

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
  /** The weights that were distributed last. */
  private weights: OutgoingWeights | null = null;

  /** @param isOn false never uses the exchange */
  constructor(
    readonly pool: WorkerPool,
    private readonly isOn: boolean,
  ) {
    pool.on('gone', (member) => {
      if (this.members.includes(member)) this.tell(this.members.filter((each) => each !== member));
    });
    pool.on('weightsMissing', (member, missing) => this.complete(member, missing));
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

  /**
   * Sends each participant a part of the weights, which it passes on to the others. Does nothing where the star is used,
   * and where some have these weights already: who lacks them gets them with its work.
   */
  distribute(weights: OutgoingWeights): void {
    const members = this.choose();
    if (!members || members.some(({ weightsVersion }) => weightsVersion === weights.version)) return;
    this.tell(members);
    this.weights = weights;
    const ranges = cutRanges(weights.elements, members.length);
    const plan = this.encode({
      weightsPlan: {
        version: weights.version,
        ranges: ranges.map((range, index) => ({ range, owner: members[index]!.number })),
      },
    });
    members.forEach((member, index) => {
      member.weightsVersion = weights.version;
      void member.outbox.send(plan);
      const range = ranges[index];
      if (range) weights.sendRanges(member, [range], true);
    });
  }

  /** The weights that were distributed change now. */
  forgetWeights(): void {
    this.weights = null;
  }

  /** Sends a member what it lacks of the weights, because a peer that had to pass it on is gone. */
  private complete(member: Member, { version, ranges }: WeightsMissing__Output): void {
    const { weights, pool } = this;
    const elements = ranges.reduce((sum, { start, end }) => sum + end - start, 0);
    if (weights?.version === version && elements <= weights.elements)
      weights.sendRanges(member, ranges, false);
    else if (member.outstanding > 0) {
      // Others have finished the step for it. It waits for these weights in vain.
      const reason = `it lacks parts of weights ${version}, which are not in use any more`;
      pool.remove(member, { reason, failure: null });
      member.stream.end();
    }
  }

  /** Encodes a message once for many members. */
  encode(exchange: ExchangeOrder): Buffer {
    return encodeCoordinatorMessage({ term: this.pool.term, exchange });
  }
}
