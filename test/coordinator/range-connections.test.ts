import { beforeEach, expect, test } from 'vitest';
import type { Clock } from '../../src/clock.js';
import type { CarrierListener } from '../../src/coordinator/carrier/carrier.js';
import type { Member, WorkerStream } from '../../src/coordinator/dispatch/member.js';
import { WorkerPool } from '../../src/coordinator/dispatch/pool.js';
import { RangeConnections } from '../../src/coordinator/exchange/range-connections.js';
import type { RangeResult__Output } from '../../src/transport/generated/fcaenet/v1/RangeResult.js';
import { unconnectedMember } from '../kit/unconnected-member.js';

let nowMs: number;
let waiting: { readonly atMs: number; readonly action: () => void }[];
let said: string[];
let carrier: CarrierListener;
let pool: WorkerPool;
let member: Member;
let written: unknown[];
let connections: RangeConnections;
const traffic = { sentBytes: 0, receivedBytes: 0 };

const clock = {
  nowMs: () => nowMs,
  date: () => new Date(nowMs),
  after: (ms: number, action: () => void) => {
    const entry = { atMs: nowMs + ms, action };
    waiting.push(entry);
    return () => {
      waiting = waiting.filter((each) => each !== entry);
    };
  },
} as unknown as Clock;

/** Lets so much time pass. */
function pass(ms: number): void {
  nowMs += ms;
  const due = waiting.filter(({ atMs }) => atMs <= nowMs);
  waiting = waiting.filter(({ atMs }) => atMs > nowMs);
  for (const { action } of due) action();
}

beforeEach(() => {
  nowMs = 0;
  waiting = [];
  said = [];
  written = [];
  pool = new WorkerPool(1, clock);
  member = unconnectedMember(0, 'w', {
    clock,
    stream: {
      on: () => {},
      once: () => {},
      end: () => {},
      write: (message: unknown, taken?: () => void) => {
        taken?.();
        return written.push(message) > 0;
      },
    } as unknown as WorkerStream,
  });
  member.peerAddress = '10.0.0.1:7402';
  pool.add(member);
  pool.admit(member);
  Object.assign(traffic, { sentBytes: 0, receivedBytes: 0 });
  connections = new RangeConnections({
    carrier: {
      identity: { run: 'birds', term: 1, member: 0, key: Buffer.alloc(0), tls: null },
      precision: 'float32',
      vectorLength: 100,
    },
    pool,
    clock,
    traffic,
    openCarrier: (_, listener) => {
      carrier = listener;
      return {
        connect: (connection, peer) => said.push(`connect ${connection} to ${peer.address}`),
        disconnect: (connection) => said.push(`disconnect ${connection}`),
        send: (connection, messages) => said.push(`send ${messages.length} on ${connection}`),
        close: async () => {},
      };
    },
  });
  connections.onChange = () => said.push(`told of it: ${connections.selfFor(member) !== null}`);
  pool.on('rangesLost', ({ number }) => said.push(`lost ${number}`));
  pool.on('unreachable', ({ number }, reason) => said.push(`unreachable ${number}: ${reason}`));
  pool.on('reached', ({ number }) => said.push(`reached ${number}`));
});

const settle = () => new Promise((resolve) => setImmediate(resolve));

test('ranges go over the connection once it is open, and over the stream before', async () => {
  connections.follow([member]);
  expect(connections.selfFor(member)).toMatchObject({ member: 0, address: '' });
  member.sendRange([Buffer.alloc(10)]);
  await settle();
  expect([said, written.length]).toEqual([['connect 1 to 10.0.0.1:7402'], 1]);
  carrier.opened(1);
  member.sendRange(Promise.resolve([Buffer.alloc(20), Buffer.alloc(30)]));
  let hasLeft = false;
  void member.hasLeft().then(() => {
    hasLeft = true;
  });
  await settle();
  expect([said.at(-1), written.length]).toEqual(['send 2 on 1', 1]);
  expect([traffic.sentBytes, member.leavingBytes, hasLeft]).toEqual([50, 20, false]);
  nowMs = 5;
  carrier.left(1);
  await settle();
  expect([member.leavingBytes, member.leftAtMs, hasLeft]).toEqual([30, 5, false]);
  carrier.left(1);
  await settle();
  expect([member.leavingBytes, hasLeft]).toEqual([0, true]);
});

test('a member that is lost is told first, then its work hears of it, and it is tried again after longer and longer', async () => {
  connections.follow([member]);
  carrier.opened(1);
  member.sendRange([Buffer.alloc(20)]);
  const left = member.hasLeft();
  said = [];
  carrier.lost(1, 'it ended the connection', false);
  expect(said).toEqual(['disconnect 1', 'told of it: false', 'lost 1']);
  expect(member.route).toBeNull();
  // Nobody waits for what is lost.
  await left;
  pass(250);
  expect(said.at(-1)).toBe('unreachable 1: it ended the connection');
  for (const [pauseMs, connection] of [
    [9_750, 2],
    [20_000, 3],
    [40_000, 4],
  ] as const) {
    said = [];
    pass(pauseMs - 1);
    expect(said).toEqual([]);
    pass(1);
    expect(said).toEqual([`connect ${connection} to 10.0.0.1:7402`, 'told of it: true']);
    said = [];
    if (connection < 4) carrier.lost(connection, 'it does not answer', false);
  }
  // The same loss is said once.
  carrier.opened(4);
  expect(said).toEqual(['reached 1']);
  expect(member.route).not.toBeNull();
});

test('a member that refuses is not tried again', () => {
  connections.follow([member]);
  carrier.lost(1, 'a peer speaks protocol version 3, expected 9', true);
  said = [];
  pass(1_000_000);
  expect(said).toEqual([]);
  expect(connections.selfFor(member)).toBeNull();
});

test('of a member that leaves nothing is said, and what its connection says concerns nobody', () => {
  connections.follow([member]);
  carrier.opened(1);
  carrier.lost(1, 'it ended the connection', false);
  pass(249);
  said = [];
  pool.remove(member, { reason: 'its stream closed', failure: null });
  pass(1_000_000);
  carrier.opened(1);
  carrier.left(1);
  carrier.lost(1, 'it ended the stream', false);
  expect([said, member.route]).toEqual([[], null]);
});

test('the connection of a member that leaves ends', () => {
  connections.follow([member]);
  carrier.opened(1);
  pool.remove(member, { reason: 'it was drained', failure: null });
  expect(said).toEqual(['connect 1 to 10.0.0.1:7402', 'disconnect 1']);
  expect(member.route).toBeNull();
});

test('a member that takes no part for a while keeps its connection', () => {
  connections.follow([member]);
  carrier.opened(1);
  connections.follow([]);
  connections.follow([member]);
  expect(said).toEqual(['connect 1 to 10.0.0.1:7402']);
  expect(member.route).not.toBeNull();
});

test('without its thread all ranges go over the streams', () => {
  connections.follow([member]);
  carrier.opened(1);
  carrier.failed('out of memory');
  expect(member.route).toBeNull();
  expect(said.at(-1)).toBe('lost 1');
  pass(1_000_000);
  expect(said.at(-1)).toBe('unreachable 1: out of memory');
  connections.follow([member]);
  expect(said.filter((each) => each.startsWith('connect'))).toHaveLength(1);
});

const result = (start: number, end: number): RangeResult__Output => ({
  position: null,
  range: { start, end },
  attempt: 1,
  transfer: null,
  reduceSeconds: 0,
});

test('a sum is given to the work that expects it, and counted', async () => {
  const taken: unknown[] = [];
  let end = () => {};
  const take = (...what: unknown[]) => {
    taken.push(what);
    return new Promise<void>((resolve) => {
      end = resolve;
    });
  };
  pool.ranges.begin({ bytesOf: () => 40, take }, 400);
  connections.follow([member]);
  carrier.opened(1);
  const sum = Float32Array.from({ length: 10 }, (_, place) => place);
  nowMs = 7;
  let isRead = true;
  void carrier.arrived(1, { result: result(0, 10), sum, messageBytes: 60, seconds: 0.1 }).then(() => {
    isRead = false;
  });
  expect(taken).toEqual([[member, result(0, 10), new Uint8Array(sum.buffer)]]);
  await settle();
  expect(isRead).toBe(true);
  end();
  await settle();
  expect(isRead).toBe(false);
  expect([traffic.receivedBytes, member.tally.bytesReceived, member.lastHeardAtMs]).toEqual([60, 60, 7]);
});

test.each([
  ['of another length', 40, 'a range result has 36 bytes, expected 40'],
  ['that the step does not have', 'unknown', "range 0 to 9 is not part of the step's exchange"],
] as const)('a sum %s removes its sender', async (_, expected, sentence) => {
  pool.ranges.begin({ bytesOf: () => expected, take: async () => void said.push('taken') }, 400);
  const rejected: unknown[] = [];
  pool.on('answerRejected', (...what) => rejected.push(what));
  connections.follow([member]);
  carrier.opened(1);
  const sum = new Float32Array(9);
  await carrier.arrived(1, { result: result(0, 9), sum, messageBytes: 50, seconds: 0.1 });
  expect(rejected).toEqual([[member, 'bad_message', sentence]]);
  expect(member.state).toBe('gone');
  expect(said).not.toContain('taken');
});
