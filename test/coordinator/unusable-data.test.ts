import { expect, test } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { UnusableData } from '../../src/coordinator/admission/unusable-data.js';
import { WorkerPool } from '../../src/coordinator/dispatch/pool.js';
import type { FcaenetError } from '../../src/errors.js';
import { unconnectedMember } from '../kit/unconnected-member.js';

const message = 'the image a.jpg was replaced';
const badData = { code: 'DATASET_IMAGE_CHANGED', message, exitCode: 65 };

/** A pool with members in slots 0 and 1, and a clock whose only timer rings when it is told to. */
function prepare() {
  const pool = new WorkerPool(1);
  const ended: FcaenetError[] = [];
  let timer: { ms: number; action: () => void } | null = null;
  const watch = new UnusableData(pool, {
    waitSeconds: 60,
    log: { info: () => {}, warn: () => {}, error: () => {} },
    onUnusable: (error) => ended.push(error),
    clock: {
      ...systemClock,
      after: (ms, action) => {
        timer = { ms, action };
        return () => {
          timer = null;
        };
      },
    },
  });
  const enter = (slot: number) => {
    const member = unconnectedMember(slot);
    pool.add(member);
    return member;
  };
  const join = (slot: number) => {
    const member = enter(slot);
    pool.admit(member);
    return member;
  };
  return { pool, ended, watch, enter, join, ring: () => timer?.action(), waitMs: () => timer?.ms };
}

test('the run ends with the last worker’s sentence when all have failed for their data and nobody joins', () => {
  const { pool, ended, join, ring, waitMs } = prepare();
  const [first, second] = [join(0), join(1)];
  pool.remove(first, { reason: 'it failed', failure: { ...badData, message: 'another' } });
  expect(waitMs()).toBeUndefined();
  pool.remove(second, { reason: 'it failed', failure: badData });
  expect(waitMs()).toBe(60_000);
  ring();
  expect(ended).toEqual([
    expect.objectContaining({
      code: 'COORDINATOR_NO_WORKERS',
      exitCode: 65,
      message: `no worker can use its pictures: ${message}`,
    }),
  ]);
});

test.each([
  ['lost its line', null],
  ['failed for another reason', { code: 'WORKER_UNEXPECTED', message: 'out of memory', exitCode: 1 }],
])('the run waits for workers when the last of them %s', (_, failure) => {
  const { pool, join, waitMs } = prepare();
  pool.remove(join(0), { reason: 'it failed', failure: badData });
  pool.remove(join(1), { reason: 'gone', failure });
  expect(waitMs()).toBeUndefined();
});

test('the run goes on when another worker joins in time', () => {
  const { pool, ended, join, ring } = prepare();
  pool.remove(join(0), { reason: 'it failed', failure: badData });
  join(1);
  ring();
  expect(ended).toEqual([]);
});

test('the run waits for a worker that is about to join', () => {
  const { pool, ended, enter, join, ring } = prepare();
  pool.remove(join(0), { reason: 'it failed', failure: badData });
  const late = enter(1);
  ring();
  expect(ended).toEqual([]);
  pool.remove(late, { reason: 'it failed', failure: badData });
  ring();
  expect(ended).toHaveLength(1);
});
