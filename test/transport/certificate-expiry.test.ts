import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { announceExpiry, noticeDays } from '../../src/transport/certificate-expiry.js';
import { makeCertificates, tlsFilesIn } from '../../src/transport/certificates.js';
import { readTlsFiles } from '../../src/transport/tls-files.js';

const dayMs = 86_400_000;
const file = 'certs/worker/tls.crt';

afterEach(() => void vi.useRealTimers());

function recorded() {
  const lines: unknown[][] = [];
  const write = (...line: unknown[]) => void lines.push(line);
  return { lines, log: { info: write, warn: write, error: write } };
}

test('of the certificates in the files, the first to end counts', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'fcaenet-expiry-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const nowMs = Math.floor(Date.now() / 1000) * 1000;
  for (const [name, days] of [
    ['long', 300],
    ['short', 9],
  ] as const) {
    await makeCertificates({ directory: join(folder, name), names: [], days, nowMs });
  }
  const long = tlsFilesIn(join(folder, 'long'), 'worker');
  const authority = tlsFilesIn(join(folder, 'short'), 'worker').authority;
  expect(readTlsFiles(long).expiry).toEqual({ file: long.certificate, atMs: nowMs + 300 * dayMs });
  expect(readTlsFiles({ ...long, authority }).expiry).toEqual({ file: authority, atMs: nowMs + 9 * dayMs });
});

test('a certificate is announced from 14 days before its end, every day, and when it has ended', () => {
  vi.useFakeTimers({ now: Date.UTC(2026, 0, 1) });
  const { lines, log } = recorded();
  const end = announceExpiry([{ file, atMs: Date.now() + 15.5 * dayMs }], log);
  onTestFinished(end);
  expect(lines).toEqual([]);
  vi.advanceTimersByTime(dayMs);
  expect(lines).toEqual([]);
  const said = (daysLeft: number) => [
    daysLeft > 0 ? 'a certificate expires soon' : 'a certificate has expired',
    { file, validTo: '2026-01-16T12:00:00.000Z', daysLeft },
  ];
  vi.advanceTimersByTime(dayMs);
  expect(lines).toEqual([said(13.5)]);
  vi.advanceTimersByTime(14 * dayMs);
  expect(lines.slice(-2)).toEqual([said(0.5), said(-0.5)]);
  end();
  vi.advanceTimersByTime(dayMs);
  expect(lines).toHaveLength(15);
});

test('the alert and the documents have the same bound', () => {
  const rules = readFileSync('deploy/prometheus/rules.yaml', 'utf8');
  expect(
    rules.match(new RegExp(`certificate_expiry\\w* - time\\(\\) < ${noticeDays} \\* 86400`, 'g')),
  ).toHaveLength(2);
  for (const page of ['docs/security.md', 'docs/metrics.md', 'docs/runbooks/FcaenetCertificateExpiring.md']) {
    expect(readFileSync(page, 'utf8'), page).toContain(`${noticeDays} days`);
  }
});
