import { describe, expect, test } from 'vitest';
import { ReductionTree } from '../../../src/reduction/tree.js';
import { bytesOf } from '../../../src/transport/bytes.js';
import type { PeerMessage__Output } from '../../../src/transport/generated/fcaenet/v1/PeerMessage.js';
import type { OutgoingPart } from '../../../src/worker/exchange/output.js';
import { messagesOf } from '../../../src/worker/exchange/part-messages.js';
import { PartReceiver } from '../../../src/worker/exchange/part-receiver.js';
import { cut, GroupMember, position, reduceOf } from './group.js';

const shape = {
  precision: 'float32' as const,
  gradientCount: 8,
  momentBlocks: [],
  weightCount: 6,
  microbatches: 2,
};
const tree = new ReductionTree(4, 2);
const leaf = (index: number) => ({ level: 0, index });
const bothLeaves = [
  { node: leaf(0), member: 1 },
  { node: leaf(1), member: 2 },
];

/** Member 1 of 1, 2 and 3, and what it sends. */
function memberOne() {
  const sent: { to: number; part: OutgoingPart }[] = [];
  const member = new GroupMember(1, shape, (to, part) => sent.push({ to, part }));
  member.exchange.setPeers([1, 2, 3]);
  const names = () =>
    sent
      .splice(0)
      .map(({ to, part }) =>
        part.kind === 'node'
          ? `${to}: ${part.node.level}/${part.node.index} ${part.range.start}-${part.range.end}`
          : `${to}: v${part.version} ${part.range.start}-${part.range.end}`,
      );
  return { ...member, member, sent, names };
}

function messages(part: OutgoingPart): PeerMessage__Output[] {
  return [...messagesOf(part, 1)].map((message) => ({ checksum: 0, ...message }) as PeerMessage__Output);
}

function nodePart(step: number, index: number, range: { start: number; end: number }, value: number) {
  const bytes = bytesOf(new Float32Array(range.end - range.start).fill(value));
  return { kind: 'node', position: position(step), node: leaf(index), range, bytes } as const;
}

function planOf(step: number, owners: readonly number[]) {
  return { position: position(step), ranges: cut(8, owners) };
}

/** Gives all messages of a part to a receiver. Resolves when the last one is taken. */
async function give(receiver: PartReceiver, part: OutgoingPart): Promise<void> {
  for (const message of messages(part)) await receiver.accept(message);
}

const isSettled = async (promise: Promise<unknown>) => {
  let settled = false;
  void promise.then(() => {
    settled = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  return settled;
};

describe('held gradients', () => {
  test('go to the owners at once, and of a later plan only what an owner has not got', () => {
    const { exchange, names } = memberOne();
    exchange.hold(position(0), leaf(0), new Float32Array(8));
    expect(names()).toEqual([]);
    exchange.planStep(planOf(0, [1, 2, 3]));
    expect(names()).toEqual(['2: 0/0 2-5', '3: 0/0 5-8']);
    exchange.hold(position(0), leaf(1), new Float32Array(8));
    expect(names()).toEqual(['2: 0/1 2-5', '3: 0/1 5-8']);
    exchange.setPeers([1, 2]);
    exchange.planStep({
      position: position(0),
      ranges: [
        { range: { start: 2, end: 5 }, owner: 2 },
        { range: { start: 5, end: 8 }, owner: 2 },
      ],
    });
    expect(names()).toEqual(['2: 0/0 5-8', '2: 0/1 5-8']);
  });

  test('go to an owner that is named before it is a peer when it becomes one', () => {
    const { exchange, names } = memberOne();
    exchange.planStep(planOf(0, [1, 4]));
    exchange.hold(position(0), leaf(0), new Float32Array(8));
    expect(names()).toEqual([]);
    exchange.setPeers([1, 4]);
    expect(names()).toEqual(['4: 0/0 4-8']);
  });

  test('are released when a plan of the next step comes', () => {
    const { exchange, released } = memberOne();
    const gradients = [new Float32Array(8), new Float32Array(8), new Float32Array(8)];
    exchange.hold(position(0), leaf(0), gradients[0]!);
    exchange.hold(position(0), leaf(0), gradients[1]!);
    expect([...released]).toEqual([gradients[1]!.buffer]);
    exchange.planStep(planOf(1, [1]));
    expect([...released]).toEqual([gradients[1]!.buffer, gradients[0]!.buffer]);
    exchange.hold(position(0), leaf(1), gradients[2]!);
    expect(released.has(gradients[2]!.buffer)).toBe(true);
  });

  test('are sent again to a member that may lack them', () => {
    const { exchange, names } = memberOne();
    exchange.planStep(planOf(0, [1, 2]));
    exchange.hold(position(0), leaf(0), new Float32Array(8));
    names();
    exchange.sendAgain(2);
    expect(names()).toEqual(['2: 0/0 4-8']);
  });
});

describe('parts from peers', () => {
  const own = { start: 0, end: 4 };

  test('wait for the plan that makes them needed', async () => {
    const { exchange, memory, sums } = memberOne();
    const receiver = new PartReceiver(exchange, 2, memory);
    const given = give(receiver, nodePart(0, 1, own, 2));
    expect(await isSettled(given)).toBe(false);
    exchange.planStep(planOf(0, [1, 2]));
    await given;
    exchange.hold(position(0), leaf(0), new Float32Array(8).fill(1));
    exchange.reduce(reduceOf(0, 3, tree, bothLeaves));
    expect(sums).toEqual([
      { position: position(0), range: own, attempt: 3, reduceSeconds: 0, sum: new Float32Array(4).fill(3) },
    ]);
  });

  test('wait until the coordinator names their sender', async () => {
    const { exchange, memory } = memberOne();
    exchange.planStep(planOf(0, [1, 2]));
    const given = give(new PartReceiver(exchange, 4, memory), nodePart(0, 1, own, 2));
    expect(await isSettled(given)).toBe(false);
    exchange.setPeers([1, 4]);
    await given;
  });

  test('of an earlier step are dropped, also when the step changes while they arrive', async () => {
    const { exchange, memory, sums } = memberOne();
    exchange.planStep(planOf(1, [1, 2]));
    const receiver = new PartReceiver(exchange, 2, memory);
    await give(receiver, nodePart(0, 1, own, 2));
    const [announcement, chunk] = messages(nodePart(1, 1, own, 2));
    await receiver.accept(announcement!);
    exchange.planStep(planOf(2, [1, 2]));
    await receiver.accept(chunk!);
    exchange.hold(position(2), leaf(0), new Float32Array(8));
    exchange.reduce(reduceOf(2, 1, tree, bothLeaves));
    expect(sums).toEqual([]);
  });

  test('of a member that was left out for a while wait until it is a peer again', async () => {
    const { exchange, memory } = memberOne();
    exchange.setPeers([1, 3]);
    exchange.planStep(planOf(0, [1, 2]));
    const given = give(new PartReceiver(exchange, 2, memory), nodePart(0, 1, own, 2));
    expect(await isSettled(given)).toBe(false);
    exchange.setPeers([1, 2]);
    await given;
  });

  test('that come twice count once', async () => {
    const { exchange, memory, sums } = memberOne();
    exchange.planStep(planOf(0, [1, 2]));
    exchange.hold(position(0), leaf(0), new Float32Array(8).fill(1));
    await give(new PartReceiver(exchange, 2, memory), nodePart(0, 1, own, 2));
    await give(new PartReceiver(exchange, 2, memory), nodePart(0, 1, own, 9));
    exchange.reduce(reduceOf(0, 1, tree, bothLeaves));
    exchange.reduce(reduceOf(0, 1, tree, bothLeaves));
    expect(sums.map(({ sum }) => sum[0])).toEqual([3]);
  });

  test.each([
    [
      'elements outside the gradient',
      { ...nodePart(0, 1, { start: 4, end: 8 }, 0), range: { start: 4, end: 9 } },
      'a range of a gradient names elements 4 to 9, expected a part of 8',
    ],
    [
      'an empty range',
      { ...nodePart(0, 1, { start: 4, end: 8 }, 0), range: { start: 4, end: 4 } },
      'a range of a gradient names elements 4 to 4, expected a part of 8',
    ],
    [
      'a length that is not the range’s',
      { ...nodePart(0, 1, { start: 4, end: 8 }, 0), range: { start: 4, end: 7 } },
      'a range of a gradient of elements 4 to 7 has 16 bytes, expected 12',
    ],
    [
      'a node that is not in the tree',
      nodePart(0, 2, { start: 4, end: 8 }, 0),
      'a range of a gradient names node 0/2, expected one of 2 microbatches',
    ],
    [
      'weights of the wrong length',
      {
        kind: 'weights',
        version: 1,
        range: { start: 0, end: 2 },
        bytes: new Uint8Array(4),
      } as const,
      'a range of weights of elements 0 to 2 has 4 bytes, expected 8',
    ],
  ])('with %s are refused', async (_, part, message) => {
    const { exchange, memory } = memberOne();
    await expect(give(new PartReceiver(exchange, 2, memory), part)).rejects.toMatchObject({
      code: 'TRANSPORT_BAD_MESSAGE',
      message,
    });
  });

  test('cannot be a second hello', async () => {
    const { exchange, memory } = memberOne();
    const hello = { protocolVersion: 1, run: '', term: 1, member: 2, key: Buffer.alloc(0) };
    await expect(new PartReceiver(exchange, 2, memory).accept({ hello, checksum: 0 })).rejects.toMatchObject({
      message: 'member 2 sent a message without a range or a chunk, but only these follow its hello',
    });
  });
});

describe('requests of the coordinator', () => {
  test.each([
    [
      'nodes that are not all microbatches',
      reduceOf(0, 1, tree, [{ node: leaf(0), member: 1 }]),
      'a request to add nodes names microbatches 0, expected each of 0,1 once',
    ],
    [
      'a microbatch twice',
      reduceOf(0, 1, tree, [...bothLeaves, { node: leaf(1), member: 3 }]),
      'a request to add nodes names microbatches 0,1,1, expected each of 0,1 once',
    ],
    [
      'another number of microbatches',
      reduceOf(0, 1, new ReductionTree(4, 4), bothLeaves),
      'a request to add nodes names 4 rows in 4 microbatches, expected rows in 2',
    ],
  ])('to add %s are refused', (_, message, sentence) => {
    const { exchange } = memberOne();
    exchange.planStep(planOf(0, [1, 2]));
    expect(() => exchange.reduce(message)).toThrow(sentence);
  });

  test('whose ranges overlap are refused', () => {
    const { exchange } = memberOne();
    const ranges = [...cut(8, [1]), ...cut(8, [2], { start: 5, end: 8 })];
    expect(() => exchange.planStep({ position: position(0), ranges })).toThrow(
      'a plan of an exchange names elements 5 to 8 twice, expected ranges that do not overlap',
    );
  });

  test('without a position are refused', () => {
    const { exchange } = memberOne();
    expect(() => exchange.planStep({ position: null, ranges: [] })).toThrow(
      "a plan of an exchange names no position, expected the step's",
    );
  });

  test('with a higher attempt are answered again', () => {
    const { exchange, sums } = memberOne();
    exchange.planStep(planOf(0, [1]));
    for (const index of [0, 1]) exchange.hold(position(0), leaf(index), new Float32Array(8).fill(1));
    const nodes = bothLeaves.map(({ node }) => ({ node, member: 1 }));
    for (const attempt of [1, 2, 1]) exchange.reduce(reduceOf(0, attempt, tree, nodes));
    expect(sums.map(({ attempt, sum }) => [attempt, sum[0]])).toEqual([
      [1, 2],
      [2, 2],
    ]);
  });
});
