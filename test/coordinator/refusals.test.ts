import { expect, test } from 'vitest';
import { Refusals } from '../../src/coordinator/admission/refusals.js';

test('all refusals are counted, and the first of each reason is logged, then at most one in ten seconds', () => {
  const lines: unknown[] = [];
  const log = { info: () => {}, error: () => {}, warn: (...line: unknown[]) => lines.push(line) };
  let nowMs = 0;
  const refusals = new Refusals(log, () => nowMs);
  for (nowMs = 0; nowMs <= 10_000; nowMs += 10) refusals.add('no_hello', 'it said nothing', '10.0.0.9');
  refusals.add('tls_failed', 'TLS failed: ECONNRESET', '10.0.0.9');
  expect(refusals.totals()).toEqual({ no_hello: 1001, tls_failed: 1 });
  const silent = { code: 'NO_HELLO', reason: 'it said nothing', address: '10.0.0.9' };
  expect(lines).toEqual([
    ['connection refused', silent],
    ['connection refused', { ...silent, times: 1000 }],
    ['connection refused', { code: 'TLS_FAILED', reason: 'TLS failed: ECONNRESET', address: '10.0.0.9' }],
  ]);
});
