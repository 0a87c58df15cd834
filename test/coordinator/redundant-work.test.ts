import { beforeEach, describe, expect, test } from 'vitest';
import { DeadlineEstimator } from '../../src/coordinator/dispatch/deadline.js';
import { Member, type WorkerStream } from '../../src/coordinator/dispatch/member.js';
import { WorkerPool } from '../../src/coordinator/dispatch/pool.js';
import {
  type Candidate,
  RedundantWork,
  type UnitDigest,
  type WorkKind,
} from '../../src/coordinator/dispatch/redundant-work.js';
import type { WorkEvent } from '../../src/coordinator/dispatch/work-event.js';
import type { CoordinatorError } from '../../src/coordinator/error.js';
import { TransferMemory } from '../../src/transport/transfer-memory.js';
import { SimulatedProcess, SimulatedTime } from '../simulation/simulated-clock.js';

/** Work whose answers are numbers: the sum of the units is what it gives. */
class Numbers implements WorkKind<number> {
  readonly units = 'numbers';
  readonly answers = 'values';
  readonly strict: boolean;
  readonly verified: readonly number[];
  readonly mostHeld = Number.POSITIVE_INFINITY;
  readonly deadlines = new DeadlineEstimator();
  /** By unit: who answered what. */
  readonly taken = new Map<number, { member: Member; value: number }>();
  /** What was sent to whom. */
  readonly sent: [member: number, unit: number][] = [];
  hasEnded = false;
  isForgotten = false;

  constructor(
    private readonly count: number,
    { verified = [], strict = true }: { verified?: number[]; strict?: boolean } = {},
  ) {
    this.verified = verified;
    this.strict = strict;
  }

  name(unit: number): string {
    return `number ${unit}`;
  }

  missing(): number[] {
    return Array.from({ length: this.count }, (_, unit) => unit).filter((unit) => !this.taken.has(unit));
  }

  /** One by one, in turn. */
  assign(units: readonly number[], candidates: readonly Candidate[]) {
    return units.flatMap((unit, place) => {
      const able = candidates.filter(({ owes }) => !owes(unit));
      const one = able[place % Math.max(1, able.length)];
      return one ? [{ member: one.member, units: [unit] }] : [];
    });
  }

  send(member: Member, units: readonly number[]): void {
    for (const unit of units) this.sent.push([member.slot, unit]);
  }

  implausible(_: readonly number[], value: number) {
    return Number.isNaN(value) ? { reason: 'non_finite' as const, sentence: 'it is no number' } : null;
  }

  digestsOf(units: readonly number[], value: number, isCompared: (unit: number) => boolean): UnitDigest[] {
    return units.filter(isCompared).map((unit) => ({ unit, digest: Buffer.from(String(value)) }));
  }

  answered(): void {}
  overdue(): void {}

  take(member: Member, units: readonly number[], value: number): void {
    for (const unit of units) if (!this.taken.has(unit)) this.taken.set(unit, { member, value });
  }

  isUsed(member: Member): boolean {
    return [...this.taken.values()].some((each) => each.member === member);
  }

  discard(members: readonly Member[]): void {
    for (const [unit, { member }] of this.taken) if (members.includes(member)) this.taken.delete(unit);
  }

  end(): void {
    this.hasEnded = true;
  }

  release(): void {
    this.isForgotten = true;
  }

  get values(): number[] {
    return [...this.taken].sort(([a], [b]) => a - b).map(([, { value }]) => value);
  }
}

let time: SimulatedTime;
let clock: SimulatedProcess;
let pool: WorkerPool;
let events: WorkEvent[];
let late: CoordinatorError[];
let abort: AbortController;

beforeEach(() => {
  time = new SimulatedTime();
  clock = new SimulatedProcess('coordinator', time);
  pool = new WorkerPool(1, clock);
  events = [];
  late = [];
  abort = new AbortController();
});

function worker(): Member {
  const member = new Member({
    slot: pool.freeSlot(),
    number: pool.nextNumber(),
    name: 'w',
    instanceId: `i${pool.freeSlot()}`,
    session: 1,
    stream: {
      on: () => {},
      once: () => {},
      off: () => {},
      write: () => true,
      end: () => {},
    } as unknown as WorkerStream,
    memory: new TransferMemory({ arrays: 0 }),
    clock,
    line: pool.line,
    sharedMemory: null,
  });
  pool.add(member);
  pool.admit(member);
  return member;
}

function begin(kind: Numbers): { work: RedundantWork<number>; done: Promise<void> } {
  const work = new RedundantWork(kind, {
    pool,
    clock,
    notify: (event) => events.push(event),
    signal: abort.signal,
    onLateContradiction: (error) => late.push(error),
  });
  const done = work.run();
  // Looked at where a test expects it.
  done.catch(() => {});
  return { work, done };
}

/** Lets simulated seconds pass. */
function pass(seconds: number): void {
  const end = time.nowMs + 1000 * seconds;
  while (time.nowMs < end && time.advance());
}

const compared = () =>
  events.flatMap((event) => (event.type === 'work.compared' ? [`${event.unit} ${event.outcome}`] : []));

test('units go to whoever is there, and the first answers end the work', async () => {
  const [first, second] = [worker(), worker()];
  const kind = new Numbers(2);
  const { work, done } = begin(kind);
  expect(kind.sent).toEqual([
    [0, 0],
    [1, 1],
  ]);
  work.answer(first, [0], 5);
  work.answer(second, [1], 6);
  await done;
  expect(kind.values).toEqual([5, 6]);
  expect([kind.hasEnded, kind.isForgotten]).toEqual([true, true]);
  expect([first.state, second.state]).toEqual(['ready', 'ready']);
});

test('an answer that its worker does not owe is left aside', async () => {
  const [first, second] = [worker(), worker()];
  const kind = new Numbers(2);
  const { work, done } = begin(kind);
  work.answer(first, [1], 9);
  work.answer(first, [0], 5);
  work.answer(first, [0], 7);
  work.answer(second, [1], 6);
  await done;
  expect(kind.values).toEqual([5, 6]);
});

test('work waits for a worker, and says so once', async () => {
  const kind = new Numbers(1);
  const { work, done } = begin(kind);
  pass(3);
  const first = worker();
  work.answer(first, [0], 5);
  await done;
  expect(events).toEqual([{ type: 'work.waiting' }]);
});

test('what a lost worker held goes to the others', async () => {
  const [first, second] = [worker(), worker()];
  const kind = new Numbers(2);
  const { work, done } = begin(kind);
  pool.remove(first, { reason: 'it is gone', failure: null });
  expect(kind.sent.at(-1)).toEqual([1, 0]);
  work.answer(second, [0], 5);
  work.answer(second, [1], 6);
  await done;
  expect(events).toMatchObject([{ type: 'work.redispatched', work: 'numbers', units: 1 }]);
});

describe('a straggler', () => {
  test('is not waited for; what it answers late is compared', async () => {
    const [first, second] = [worker(), worker()];
    const kind = new Numbers(2);
    const { work, done } = begin(kind);
    work.answer(second, [1], 6);
    // Before the first answer a unit has 60 s; from what the second took it has one.
    pass(2);
    expect([first.overdue, kind.sent.at(-1)]).toEqual([1, [1, 0]]);
    work.answer(second, [0], 5);
    await done;
    expect([kind.hasEnded, kind.isForgotten]).toEqual([true, false]);
    work.answer(first, [0], 5);
    expect(compared()).toEqual(['0 agreed']);
    expect([first.overdue, first.state, kind.isForgotten]).toEqual([0, 'ready', true]);
    expect(late).toEqual([]);
  });

  test('that contradicts what was used is told after the end', async () => {
    const [first, second] = [worker(), worker()];
    const { work, done } = begin(new Numbers(2));
    work.answer(second, [1], 6);
    pass(2);
    work.answer(second, [0], 5);
    await done;
    work.answer(first, [0], 8);
    expect(late).toMatchObject([{ code: 'COORDINATOR_CONTRADICTION' }]);
  });

  test('whose late answer cannot be true costs it the run, and contradicts nobody', async () => {
    const [first, second] = [worker(), worker()];
    const { work, done } = begin(new Numbers(2));
    work.answer(second, [1], 6);
    pass(2);
    work.answer(second, [0], 5);
    await done;
    work.answer(first, [0], Number.NaN);
    expect(first.state).toBe('gone');
    expect(late).toEqual([]);
  });

  test('gets a strike for each kind of work, and is set aside after eight', () => {
    const [first, second] = [worker(), worker()];
    const isGone = () => first.state === 'gone';
    for (let strike = 1; !isGone(); strike++) {
      const kind = new Numbers(2);
      const { work } = begin(kind);
      const held = kind.sent.find(([slot]) => slot === first.slot)![1];
      work.answer(second, [1 - held], 6);
      pass(2);
      expect(isGone()).toBe(strike > 8);
      if (kind.sent.at(-1)![0] === second.slot) work.answer(second, [held], 5);
      work.answer(first, [held], 5);
    }
  });
});

describe('verification', () => {
  const ofVerified = (kind: Numbers) => kind.sent.filter(([, unit]) => unit === 0).map(([slot]) => slot);

  test('a chosen unit is computed by two', async () => {
    const [first, second] = [worker(), worker()];
    const kind = new Numbers(1, { verified: [0] });
    const { work, done } = begin(kind);
    expect(ofVerified(kind)).toEqual([0, 1]);
    work.answer(first, [0], 5);
    work.answer(second, [0], 5);
    await done;
    expect(compared()).toEqual(['0 agreed']);
  });

  test('with one worker it goes unverified', async () => {
    const only = worker();
    const { work, done } = begin(new Numbers(1, { verified: [0] }));
    work.answer(only, [0], 5);
    await done;
    expect(compared()).toEqual([]);
  });

  test('where two differ a third decides, and what only the odd one answered is computed again', async () => {
    const [odd, second, third] = [worker(), worker(), worker()];
    const kind = new Numbers(4, { verified: [0] });
    const { work, done } = begin(kind);
    work.answer(odd, [0], 9);
    // The fourth unit fell to it too.
    work.answer(odd, [3], 9);
    work.answer(second, [0], 5);
    expect(ofVerified(kind)).toEqual([0, 1, 2]);
    work.answer(third, [0], 5);
    expect(odd.state).toBe('gone');
    expect(pool.whySetAside(odd.instanceId)).toBe(
      'its values of number 0 differ from those of the other workers',
    );
    for (const [slot, unit] of kind.sent.slice()) {
      const member = [odd, second, third][slot]!;
      if (member !== odd && unit > 0) work.answer(member, [unit], 5);
    }
    await done;
    expect(kind.values).toEqual([5, 5, 5, 5]);
  });

  test.each([
    ['still receives its first weights', (member: Member) => (member.isReceiving = true)],
    ['is late with something else', (member: Member) => (member.overdue = 1)],
  ])('who %s may decide', async (_, hinder) => {
    const [first, second] = [worker(), worker()];
    const kind = new Numbers(1, { verified: [0] });
    const { work, done } = begin(kind);
    const third = worker();
    hinder(third);
    work.answer(first, [0], 9);
    work.answer(second, [0], 5);
    expect(ofVerified(kind)).toEqual([0, 1, 2]);
    work.answer(third, [0], 5);
    await done;
    expect(kind.values).toEqual([5]);
    expect(first.state).toBe('gone');
  });

  test('where nobody can decide the work fails at once', async () => {
    const [first, second] = [worker(), worker()];
    const { work, done } = begin(new Numbers(2, { verified: [0] }));
    work.answer(first, [0], 9);
    work.answer(second, [0], 5);
    await expect(done).rejects.toMatchObject({
      code: 'COORDINATOR_CONTRADICTION',
      message: expect.stringMatching(/^workers gave different values of number 0 and no further worker/),
    });
  });

  test('workers of different numerical identities may differ', async () => {
    const [first, second] = [worker(), worker()];
    const kind = new Numbers(1, { verified: [0], strict: false });
    const { work, done } = begin(kind);
    work.answer(first, [0], 9);
    work.answer(second, [0], 5);
    await done;
    expect(kind.values).toEqual([9]);
    expect(compared()).toEqual(['0 contradiction']);
  });
});

test('an answer that cannot be true costs its worker the run, and others compute it', async () => {
  const [first, second] = [worker(), worker()];
  const kind = new Numbers(2);
  const { work, done } = begin(kind);
  work.answer(first, [0], Number.NaN);
  expect(first.state).toBe('gone');
  work.answer(second, [1], 6);
  work.answer(second, [0], 5);
  await done;
  expect(kind.values).toEqual([5, 6]);
});

test('work that is given up ends with the reason, and still hears its stragglers', async () => {
  const first = worker();
  const kind = new Numbers(1);
  const { work, done } = begin(kind);
  abort.abort(new Error('enough'));
  await expect(done).rejects.toThrow('enough');
  expect([kind.hasEnded, kind.isForgotten, first.state]).toEqual([true, false, 'computing']);
  work.answer(first, [0], 5);
  expect([kind.isForgotten, first.state, kind.values]).toEqual([true, 'ready', []]);
});

test('a coordinator that was held up reads what has arrived before it calls a worker late', async () => {
  const [first, second] = [worker(), worker()];
  const { work, done } = begin(new Numbers(2));
  work.answer(second, [1], 6);
  clock.stop();
  time.after(1000, () => clock.carryOut(() => work.answer(first, [0], 5)));
  time.after(2000, () => clock.continue());
  pass(3);
  await done;
  expect(events).toEqual([]);
});
