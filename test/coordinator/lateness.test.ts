import { beforeEach, describe, expect, test } from 'vitest';
import { DeadlineEstimator } from '../../src/coordinator/dispatch/deadline.js';
import { Lateness } from '../../src/coordinator/dispatch/lateness.js';
import { LinePace } from '../../src/coordinator/dispatch/line-pace.js';
import { Member, type WorkerStream } from '../../src/coordinator/dispatch/member.js';
import { WorkerPool } from '../../src/coordinator/dispatch/pool.js';
import { WorkShares } from '../../src/coordinator/dispatch/work-shares.js';
import { TransferMemory } from '../../src/transport/transfer-memory.js';
import { SimulatedProcess, SimulatedTime } from '../simulation/simulated-clock.js';

let time: SimulatedTime;
let pool: WorkerPool;
let member: Member;
let shares: WorkShares<Member>;
let lateness: Lateness;
/** Workers that have not answered yet. */
let silent: number;
/** Called when the connection takes the next message. */
let taken: (() => void)[];

beforeEach(() => {
  time = new SimulatedTime();
  const clock = new SimulatedProcess('coordinator', time);
  pool = new WorkerPool(1, clock);
  taken = [];
  const stream = {
    write: (_: Buffer, done: () => void) => taken.push(done) > 0,
    once: () => {},
    off: () => {},
  };
  member = new Member({
    slot: 0,
    number: 1,
    name: 'w',
    instanceId: 'i',
    session: 1,
    stream: stream as unknown as WorkerStream,
    memory: new TransferMemory({ arrays: 0 }),
    clock,
    line: pool.line,
    sharedMemory: null,
  });
  pool.add(member);
  pool.admit(member);
  shares = new WorkShares();
  const deadlines = new DeadlineEstimator();
  // A deadline of 2 s.
  for (let i = 0; i < 64; i++) deadlines.observe(0.5);
  silent = 0;
  lateness = new Lateness(
    deadlines,
    {
      get silent() {
        return silent;
      },
    },
    { pool, clock },
  );
});

const isLate = () => shares.expire((...held) => lateness.isLate(...held)).length > 0;
const isExpectedFirst = () => shares.expectedFirst((...held) => lateness.comesFirst(...held)).size > 0;

function at(seconds: number): void {
  time.nowMs = 1000 * seconds;
}

/** Gives the worker a unit that has left at once. */
function give(): void {
  shares.give(member, [0], 0);
  shares.left(member, [0], 0);
}

function announce(byteLength: number): void {
  member.receiver.begin({ id: 1, byteLength, sharedOffset: 0 }, { least: 0, most: 1e6 }, 'it', () => {});
}

function arrive(offset: number, byteLength: number): void {
  member.accept({ transfer: 1, offset, data: Buffer.alloc(byteLength) });
}

test('a worker of which nothing comes is late after the deadline, and counts once', () => {
  give();
  at(1.9);
  expect(isLate()).toBe(false);
  at(2);
  expect(isLate()).toBe(true);
  expect(isLate()).toBe(false);
});

test('a worker is not late before a minute while most workers have answered nothing', () => {
  give();
  silent = 1;
  at(59);
  expect(isLate()).toBe(false);
  at(60);
  expect(isLate()).toBe(true);
});

test('workers that hold units are silent until they answer one', () => {
  const other = { label: 'another' } as Member;
  for (const [unit, worker] of [member, other].entries()) shares.give(worker, [unit, 2 + unit], 0);
  expect(shares.silent).toBe(2);
  shares.answer(other, [1], 0);
  expect(shares.silent).toBe(1);
  shares.drop(member);
  expect(shares.silent).toBe(0);
});

describe('an answer that arrives', () => {
  test('makes its worker prompt as long as it moves', () => {
    give();
    at(1.9);
    announce(10_000);
    for (let i = 0; i < 10; i++) {
      at(2 + i);
      arrive(1000 * i, 500);
      at(2.9 + i);
      expect(isLate()).toBe(false);
      arrive(1000 * i + 500, 500);
    }
  });

  test('and stops makes its worker late after the deadline', () => {
    give();
    announce(10_000);
    arrive(0, 5_000);
    at(1.9);
    expect(isLate()).toBe(false);
    at(2.1);
    expect(isLate()).toBe(true);
  });

  test('so slowly that another worker would be far faster makes its worker late', () => {
    give();
    // Another worker has sent as much in a quarter of a second.
    pool.line.received.moved(10_000, 0, 0);
    announce(10_000);
    const lateAt = Array.from({ length: 12 }, (_, i) => i + 1).find((second) => {
      at(second);
      arrive(100 * (second - 1), 100);
      return isLate();
    });
    // A tenth of it has come.
    expect(lateAt).toBe(10);
  });

  test('of a late worker is waited for while it comes before another could', () => {
    give();
    at(3);
    expect(isLate()).toBe(true);
    expect(isExpectedFirst()).toBe(false);
    announce(10_000);
    arrive(0, 1_000);
    at(3.1);
    expect(isExpectedFirst()).toBe(true);
    // It has stopped.
    at(20);
    expect(isExpectedFirst()).toBe(false);
  });
});

describe('work that waits for the line', () => {
  test('makes nobody late while something leaves, and its time starts when it has left', async () => {
    void member.outbox.sendAll([Buffer.alloc(9), Buffer.alloc(9)]);
    shares.give(member, [0], 0);
    const left = member.outbox.hasLeft().then(() => shares.left(member, [0], time.nowMs / 1000));
    // The outbox writes to its stream.
    await Promise.resolve();
    at(1.5);
    taken.shift()!();
    at(3);
    expect(isLate()).toBe(false);
    taken.shift()!();
    await left;
    at(4.9);
    expect(isLate()).toBe(false);
    at(5);
    expect(isLate()).toBe(true);
  });

  test('and does not move makes its worker late', () => {
    void member.outbox.send(Buffer.alloc(9));
    shares.give(member, [0], 0);
    at(2);
    expect(isLate()).toBe(true);
  });

  test('does not hide that the worker answers nothing of what it has', () => {
    give();
    at(1);
    shares.give(member, [1], 1);
    shares.left(member, [1], 1);
    // Two units have four seconds, from the first.
    at(4);
    expect(isLate()).toBe(true);
  });
});

test('a line is as fast as it was lately, and its users share it', () => {
  const pace = new LinePace();
  expect(pace.secondsFor(1, 1, 0)).toBe(Number.POSITIVE_INFINITY);
  expect(pace.patienceFor(1, 1, 0)).toBe(60);
  for (const now of [0, 0.1, 0.2]) pace.moved(100, 0.05, now);
  expect(pace.secondsFor(1200, 3, 0.2)).toBe(3);
  expect(pace.patienceFor(1200, 3, 0.2)).toBe(12);
  // Half a minute later it counts half.
  expect(pace.secondsFor(1200, 3, 30.2)).toBeCloseTo(6);
  pace.moved(200, 0.1, 30.3);
  expect(pace.secondsFor(1200, 3, 30.3)).toBe(4.5);
});

test('a line is not faster because what was long under way arrives at once', () => {
  const pace = new LinePace();
  for (const now of [10, 10.1, 10.2]) pace.moved(100, 3, now);
  expect(pace.secondsFor(100, 1, 10.2)).toBeCloseTo(3.2 / 3);
});
