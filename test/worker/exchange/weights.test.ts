import { describe, expect, test } from 'vitest';
import { bytesOf } from '../../../src/transport/bytes.js';
import { PartReceiver } from '../../../src/worker/exchange/part-receiver.js';
import { Chance } from '../../simulation/chance.js';
import { cut, ExchangeGroup } from './group.js';

const weightCount = 11;
const shape = {
  precision: 'float32' as const,
  gradientCount: 3,
  momentBlocks: [],
  weightCount,
  microbatches: 2,
};
const weightsOf = (version: number) =>
  Float32Array.from({ length: weightCount }, (_, place) => 100 * version + place);

function planOf(version: number, owners: readonly number[]) {
  return { version, ranges: cut(weightCount, owners) };
}

function startGroup(numbers: readonly number[], chance: Chance) {
  const group = new ExchangeGroup(numbers, shape, chance);
  group.tell((exchange) => exchange.setPeers(numbers));
  return group;
}

/** The coordinator sends each range of a version to its owner. */
function distribute(group: ExchangeGroup, version: number, owners: readonly number[], gone: number[] = []) {
  const plan = planOf(version, owners);
  group.tell((exchange) => exchange.planWeights(plan));
  for (const { range, owner } of plan.ranges) {
    if (gone.includes(owner)) continue;
    const bytes = bytesOf(weightsOf(version).subarray(range.start, range.end));
    group
      .member(owner)
      .inputs.push((exchange) => exchange.takeWeights({ version, range, forward: true }, bytes));
  }
}

describe('weights', () => {
  test.each(Array.from({ length: 40 }, (_, seed) => seed))(
    'come together in every member, once and in order (seed %i)',
    async (seed) => {
      const chance = new Chance(seed);
      const numbers = [1, 2, 3, 4, 5].slice(0, 1 + chance.below(5));
      const group = startGroup(numbers, chance);
      for (const version of [1, 2, 3, 4]) {
        distribute(group, version, numbers);
        // The next step needs these, so at most the last version is still on its way.
        for (const { weights } of group.members.values()) {
          while (!weights.some((each) => each.version === version)) await group.run(5);
        }
        if (chance.happens(0.3)) group.repeat(chance.pick(numbers), chance.pick(numbers));
      }
      await group.run();
      for (const { weights } of group.members.values()) {
        expect(weights).toEqual([1, 2, 3, 4].map((version) => ({ version, values: weightsOf(version) })));
      }
      expect(group.failures).toEqual([]);
    },
  );

  test('come from the peers to a member that joins when others have them already', async () => {
    const group = startGroup([1, 2], new Chance(1));
    distribute(group, 6, [1, 2]);
    distribute(group, 7, [1, 2]);
    await group.run();
    group.join(3);
    group.tell((exchange) => exchange.setPeers([1, 2, 3]));
    group.member(3).inputs.push((exchange) => exchange.planWeights(planOf(7, [1, 2])));
    await group.run();
    expect(group.member(3).weights).toEqual([{ version: 7, values: weightsOf(7) }]);
    expect(group.member(3).missing).toEqual([]);
    expect(group.failures).toEqual([]);
  });

  test('whose owner is gone are asked for once, and taken from the coordinator', async () => {
    const group = startGroup([1, 2, 3], new Chance(1));
    distribute(group, 7, [1, 2, 3], [3]);
    await group.run();
    expect(group.member(1).missing).toEqual([]);
    group.leave(3);
    group.tell((exchange) => exchange.setPeers([1, 2]));
    group.tell((exchange) => exchange.setPeers([1, 2]));
    await group.run();
    const range = planOf(7, [1, 2, 3]).ranges[2]!.range;
    for (const number of [1, 2]) {
      const { missing, weights, inputs } = group.member(number);
      expect(missing).toEqual([{ version: 7, ranges: [range] }]);
      expect(weights).toEqual([]);
      const bytes = bytesOf(weightsOf(7).subarray(range.start, range.end));
      inputs.push((exchange) => exchange.takeWeights({ version: 7, range, forward: false }, bytes));
    }
    await group.run();
    for (const number of [1, 2]) {
      expect(group.member(number).weights).toEqual([{ version: 7, values: weightsOf(7) }]);
    }
  });

  test('whose owner has left before their plan comes are asked for', async () => {
    const group = startGroup([1, 2], new Chance(1));
    group.tell((exchange) => exchange.planWeights(planOf(7, [1, 4])));
    await group.run();
    expect(group.member(2).missing).toEqual([{ version: 7, ranges: [planOf(7, [1, 4]).ranges[1]!.range] }]);
    // This one is its own.
    expect(group.member(1).missing).toHaveLength(1);
  });

  test('are kept from a peer that is ahead by one version, and wait in one that is further ahead', async () => {
    const group = startGroup([1, 2], new Chance(1));
    group.tell((exchange) => exchange.planWeights(planOf(1, [1, 2])));
    await group.run();
    const { exchange, memory } = group.member(1);
    const receiver = new PartReceiver(exchange, 2, memory);
    const announce = (version: number) => {
      const range = { start: 0, end: weightCount };
      const transfer = { id: version, byteLength: 4 * weightCount, sharedOffset: 0 };
      return receiver.accept({ weightsRange: { version, range, transfer, forward: false }, checksum: 0 });
    };
    const chunk = (version: number) =>
      receiver.accept({
        chunk: { transfer: version, offset: 0, data: Buffer.from(bytesOf(weightsOf(version))) },
        checksum: 0,
      });
    await announce(2);
    await chunk(2);
    expect(group.member(1).weights.map(({ version }) => version)).toEqual([2]);
    let isTaken = false;
    const early = announce(4).then(() => {
      isTaken = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(isTaken).toBe(false);
    exchange.planWeights(planOf(3, [1, 2]));
    await early;
    await chunk(4);
    expect(group.member(1).weights.map(({ version }) => version)).toEqual([2, 4]);
    // Its memory goes back when two newer ones are there.
    expect(group.member(1).released.size).toBe(2);
  });

  test('of a wrong length from the coordinator are refused', () => {
    const { exchange } = new ExchangeGroup([1], shape, new Chance(1)).member(1);
    const message = { version: 1, range: { start: 0, end: 2 }, forward: false };
    expect(() => exchange.takeWeights(message, new Uint8Array(9))).toThrow(
      'a range of weights of elements 0 to 2 has 9 bytes, expected 8',
    );
  });
});
