import { expect, test } from 'vitest';
import { LineBudget } from '../../src/console/line-budget.js';

const taken = (budget: LineBudget, count: number, nowMs: number) =>
  Array.from({ length: count }, () => budget.take(nowMs)).filter(Boolean).length;

test('a burst at once, then so many a second, and no more than a burst after a long silence', () => {
  const budget = new LineBudget(2, 5);
  expect(taken(budget, 10, 1_000)).toBe(5);
  expect(taken(budget, 10, 1_400)).toBe(0);
  expect(taken(budget, 10, 1_500)).toBe(1);
  expect(taken(budget, 10, 3_000)).toBe(3);
  expect(taken(budget, 10, 1e9)).toBe(5);
});

test('a clock that goes back gives nothing', () => {
  const budget = new LineBudget(1, 1);
  expect([budget.take(5_000), budget.take(0), budget.take(900)]).toEqual([true, false, false]);
});
