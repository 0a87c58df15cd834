import { expect, test } from 'vitest';
import type { Member } from '../../src/coordinator/dispatch/member.js';
import { RangeChecks } from '../../src/coordinator/exchange/range-checks.js';

const members = ['a', 'b', 'c'].map((name) => ({ name }) as unknown as Member);
const [a, b, c] = members as [Member, Member, Member];
const range = { start: 0, end: 4 };
const right = Uint8Array.of(1, 2, 3, 4);
const wrong = Uint8Array.of(1, 2, 3, 5);
const result = { position: null, range, attempt: 1, transfer: null, reduceSeconds: 0 };

function checksOf(owner: Member, present = members): RangeChecks {
  const checks = new RangeChecks([range]);
  expect(checks.ask(present, () => owner)).toBeNull();
  return checks;
}

test('an equal sum of another member ends the comparison', () => {
  const checks = checksOf(a);
  expect(checks.plan).toEqual([{ range, owner: b }]);
  expect(checks.take(c, result, right, { member: a, bytes: right })).toBeNull();
  expect(checks.take(b, result, right, { member: a, bytes: right })).toEqual({ kind: 'agreed', wrong: [] });
  expect(checks.areOver).toBe(true);
});

test.each([
  ['the owner', wrong, right, a],
  ['who added it again', right, wrong, b],
])('a third sum shows that %s is wrong', (_, first, second, odd) => {
  const checks = checksOf(a);
  expect(checks.take(b, result, second, { member: a, bytes: first })).toEqual({ kind: 'contradiction' });
  expect(checks.ask(members, () => a)).toBeNull();
  expect(checks.plan).toEqual([{ range, owner: c }]);
  expect(checks.take(c, result, right, { member: a, bytes: first })).toEqual({
    kind: 'agreed',
    wrong: [odd],
  });
});

test('two different sums stay undecided when nobody else is there', () => {
  const checks = checksOf(a, [a, b]);
  checks.take(b, result, wrong, { member: a, bytes: right });
  expect(checks.ask([a, b], () => a)).toEqual(range);
});

test('a member that leaves is replaced, and a range that nobody else can add is not compared', () => {
  const checks = checksOf(a);
  expect(checks.ask([a, c], () => a)).toBeNull();
  expect(checks.plan).toEqual([{ range, owner: c }]);
  expect(checks.ask([a], () => a)).toBeNull();
  expect(checks.areOver).toBe(true);
});
