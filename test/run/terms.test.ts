import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { RunDirectory } from '../../src/run/run-directory.js';
import { Terms } from '../../src/run/terms.js';
import { run, temporaryDirectory } from './support.js';

const nothing = { checkpoints: [], finished: false };

test('terms rise, also above a number from elsewhere, and are never granted twice', () => {
  const directory = join(temporaryDirectory(), 'terms');
  expect(new Terms(directory).highest()).toBe(0);
  const [one, other] = [new Terms(directory), new Terms(directory)];
  expect([one.grant(nothing, 0), other.grant(nothing, 0), one.grant(nothing, 7)]).toEqual([1, 2, 8]);
  expect(other.highest()).toBe(8);
  expect(readdirSync(directory)).toEqual(['000001', '000002', '000008']);
});

test('a term that another coordinator created first is passed over', () => {
  const directory = join(temporaryDirectory(), 'terms');
  mkdirSync(directory);
  writeFileSync(join(directory, '000001'), '');
  expect(new Terms(directory).grant(nothing, 0)).toBe(2);
});

test('a checkpoint counts when the next term found it, or there is no next term', () => {
  const terms = new Terms(join(temporaryDirectory(), 'terms'));
  terms.grant(nothing, 0);
  expect(terms.acceptsCheckpoint(1, 'early')).toBe(true);
  terms.grant({ checkpoints: ['early'], finished: false }, 0);
  expect(terms.acceptsCheckpoint(1, 'early')).toBe(true);
  expect(terms.acceptsCheckpoint(1, 'late')).toBe(false);
  expect(terms.acceptsCheckpoint(2, 'later')).toBe(true);
  // What the second term had passed over does not come back because the third lists it.
  terms.grant({ checkpoints: ['early', 'late', 'later'], finished: false }, 0);
  expect(terms.acceptsCheckpoint(1, 'late')).toBe(false);
  expect(terms.acceptsCheckpoint(2, 'later')).toBe(true);
});

function open(root: string, seconds: number) {
  return RunDirectory.open(
    run(`spec.operation.runsDirectory=${root}`, `spec.operation.lease.seconds=${seconds}`),
    'auto',
  );
}

/** Makes the lock look as if it had last been renewed so long ago. */
function age(root: string, seconds: number): void {
  const renewed = Date.now() / 1000 - seconds;
  utimesSync(join(root, 'test', 'lock'), renewed, renewed);
}

test('a lease that its holder renews is respected; one that is stale is taken over, and the holder finds out', () => {
  const root = temporaryDirectory();
  const first = open(root, 30);
  const term = first.nextTerm();
  age(root, 29);
  expect(() => open(root, 30)).toThrow(`is in use by process ${process.pid} on ${hostname()}`);
  age(root, 31);
  expect(first.renew()).toBe(true);
  expect(() => open(root, 30)).toThrow('is in use by');
  expect(first.isHeld(term)).toBe(true);

  age(root, 31);
  const second = open(root, 30);
  const later = second.nextTerm();
  expect(later).toBe(term + 1);
  expect([first.isHeld(term), first.renew(), second.isHeld(later)]).toEqual([false, false, true]);
  // The old holder's farewell leaves the lock to the new one.
  first.release();
  expect(second.isHeld(later)).toBe(true);
  expect(() => open(root, 30)).toThrow('is in use by');
  second.release();
  open(root, 30).release();
});

test('the lock of another host is taken over when it is stale by its own measure', () => {
  const root = temporaryDirectory();
  open(root, 30).release();
  const holder = { pid: 1, host: 'elsewhere.example', processStart: null, leaseSeconds: 100 };
  writeFileSync(join(root, 'test', 'lock'), JSON.stringify(holder));
  age(root, 90);
  expect(() => open(root, 30)).toThrow('process 1 on elsewhere.example');
  age(root, 101);
  open(root, 30).release();
});

test('a result counts when the next term found it, or there is no next term', () => {
  const directory = open(temporaryDirectory(), 30);
  const term = directory.nextTerm();
  directory.writeResult({ term, mAP: 0.5 });
  expect(directory.readResult()).toEqual({ term, mAP: 0.5 });
  directory.nextTerm();
  expect(directory.readResult()).toEqual({ term, mAP: 0.5 });
  directory.release();

  const other = open(temporaryDirectory(), 30);
  const replaced = other.nextTerm();
  other.nextTerm();
  other.writeResult({ term: replaced, mAP: 0.5 });
  expect(other.readResult()).toBeNull();
  other.release();
});

test('a term lists the checkpoints that were there, one about to be replaced included', () => {
  const root = temporaryDirectory();
  const directory = open(root, 30);
  for (const name of [
    'term-000001-step-0000000001',
    '.replaced-term-000001-step-0000000002',
    '.tmp-x',
    'latest',
  ])
    mkdirSync(join(directory.checkpoints, name));
  expect(directory.nextTerm()).toBe(2);
  expect(directory.nextTerm()).toBe(3);
  const [accepted, late] = [1, 3].map((step) =>
    directory.terms.acceptsCheckpoint(1, `term-000001-step-000000000${step}`),
  );
  expect([accepted, late]).toEqual([true, false]);
  expect(directory.terms.acceptsCheckpoint(1, 'term-000001-step-0000000002')).toBe(true);
  expect(directory.terms.acceptsCheckpoint(1, 'latest')).toBe(false);
  directory.release();
});
