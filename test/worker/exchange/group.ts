import { setImmediate } from 'node:timers/promises';
import type { TreeNode } from '../../../src/reduction/tree.js';
import type { PeerMessage__Output } from '../../../src/transport/generated/fcaenet/v1/PeerMessage.js';
import type { Position__Output } from '../../../src/transport/generated/fcaenet/v1/Position.js';
import type { Reduce__Output } from '../../../src/transport/generated/fcaenet/v1/Reduce.js';
import { TransferMemory } from '../../../src/transport/transfer-memory.js';
import type { WireVector } from '../../../src/transport/wire-vector.js';
import { Exchange, type ExchangeShape } from '../../../src/worker/exchange/exchange.js';
import type { OutgoingPart, RangeSum } from '../../../src/worker/exchange/output.js';
import { messagesOf } from '../../../src/worker/exchange/part-messages.js';
import { PartReceiver } from '../../../src/worker/exchange/part-receiver.js';
import { type ElementRange, rangeKey } from '../../../src/worker/exchange/ranges.js';
import type { Chance } from '../../simulation/chance.js';

/** What comes to a member from its coordinator or its own computation, each after the one before it. */
export type Input = (exchange: Exchange) => void;

/** A way from one member to another, on which one message is handled after the other. */
interface Line {
  readonly messages: PeerMessage__Output[];
  isBusy: boolean;
  transfers: number;
}

/** One worker of a group, and what it has said. */
export class GroupMember {
  readonly sums: RangeSum[] = [];
  readonly weights: { readonly version: number; readonly values: Float32Array }[] = [];
  readonly missing: { readonly version: number; readonly ranges: readonly ElementRange[] }[] = [];
  readonly lost: number[] = [];
  readonly released = new Set<ArrayBufferLike>();
  readonly inputs: Input[] = [];
  readonly memory = new TransferMemory<ArrayBufferLike>({ arrays: 64 });
  readonly exchange: Exchange;
  readonly receivers = new Map<number, PartReceiver>();

  constructor(
    readonly number: number,
    shape: Omit<ExchangeShape, 'member'>,
    send: (to: number, part: OutgoingPart) => void,
  ) {
    this.exchange = new Exchange(
      { ...shape, member: number },
      this.memory,
      {
        send,
        sum: (sum) => this.sums.push({ ...sum, sum: sum.sum.slice() }),
        weights: (version, bytes) =>
          this.weights.push({ version, values: new Float32Array(bytes.slice().buffer) }),
        weightsMissing: (version, ranges) => this.missing.push({ version, ranges }),
        weightsLost: (version) => this.lost.push(version),
        release: (buffer) => this.released.add(buffer),
      },
      { nowMs: () => 0 },
    );
  }

  /** The last sum of each range. */
  sumOf(range: ElementRange): WireVector | undefined {
    return this.sums.findLast((each) => rangeKey(each.range) === rangeKey(range))?.sum;
  }
}

/** Workers whose messages travel in any order that one line for each pair allows. */
export class ExchangeGroup {
  readonly members = new Map<number, GroupMember>();
  readonly failures: unknown[] = [];
  private readonly lines = new Map<string, Line>();

  constructor(
    numbers: readonly number[],
    readonly shape: Omit<ExchangeShape, 'member'>,
    private readonly chance: Chance,
  ) {
    for (const number of numbers) this.join(number);
  }

  join(number: number): void {
    const send = (to: number, part: OutgoingPart) => this.carry(number, to, part);
    this.members.set(number, new GroupMember(number, this.shape, send));
  }

  /** The member is gone, and what was on its way to it and from it. */
  leave(number: number): void {
    this.members.delete(number);
    for (const key of this.lines.keys()) if (key.split(' ').includes(String(number))) this.lines.delete(key);
  }

  member(number: number): GroupMember {
    return this.members.get(number)!;
  }

  /** Puts something behind what waits for each member. */
  tell(input: Input): void {
    for (const { inputs } of this.members.values()) inputs.push(input);
  }

  /** Puts messages of a line once more behind it. */
  repeat(from: number, to: number): void {
    this.member(from).inputs.push((exchange) => exchange.sendAgain(to));
  }

  /** Delivers what is on its way, one thing after the other by chance. @param most ends after so many; by default never */
  async run(most = Number.POSITIVE_INFINITY): Promise<void> {
    for (let done = 0; done < most; done++) {
      const steps = [...this.possibleSteps()];
      if (steps.length === 0) return;
      this.chance.pick(steps)();
      // Whoever waits for a plan goes on in its own time.
      await setImmediate();
    }
  }

  private *possibleSteps(): Generator<() => void> {
    for (const { inputs, exchange } of this.members.values()) {
      if (inputs.length > 0) yield () => inputs.shift()!(exchange);
    }
    for (const [key, line] of this.lines) {
      if (line.isBusy || line.messages.length === 0) continue;
      const [from, to] = key.split(' ').map(Number);
      yield () => this.deliver(from!, to!, line);
    }
  }

  private deliver(from: number, to: number, line: Line): void {
    const { exchange, memory, receivers } = this.member(to);
    const receiver = receivers.get(from) ?? new PartReceiver(exchange, from, memory);
    receivers.set(from, receiver);
    line.isBusy = true;
    receiver
      .accept(line.messages.shift()!)
      .catch((error) => this.failures.push(error))
      .finally(() => {
        line.isBusy = false;
      });
  }

  private carry(from: number, to: number, part: OutgoingPart): void {
    if (!this.members.has(to)) return;
    const key = `${from} ${to}`;
    const line = this.lines.get(key) ?? { messages: [], isBusy: false, transfers: 0 };
    this.lines.set(key, line);
    for (const message of messagesOf(part, ++line.transfers)) line.messages.push(received(message));
  }
}

/** A message as it arrives: with every field, and bytes of its own. */
function received(message: object): PeerMessage__Output {
  return structuredClone({ checksum: 0, ...message }) as PeerMessage__Output;
}

export const position = (step: number): Position__Output => ({ iteration: 0, epoch: 0, step });

/** Cuts `count` elements into ranges whose lengths differ by one at most, one for each owner in turn. */
export function cut(
  count: number,
  owners: readonly number[],
  within: ElementRange = { start: 0, end: count },
) {
  const length = within.end - within.start;
  const at = (place: number) => within.start + Math.floor((place * length) / owners.length);
  return owners
    .map((owner, place) => ({ range: { start: at(place), end: at(place + 1) }, owner }))
    .filter(({ range }) => range.start < range.end);
}

export function reduceOf(
  step: number,
  attempt: number,
  tree: { readonly batchRows: number; readonly microbatches: number },
  nodes: readonly { readonly node: TreeNode; readonly member: number }[],
): Reduce__Output {
  const { batchRows, microbatches } = tree;
  return { position: position(step), attempt, batchRows, microbatches, nodes: [...nodes] };
}
