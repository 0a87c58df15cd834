import type { X509Certificate } from 'node:crypto';
import { type Clock, systemClock } from '../clock.js';
import type { Log } from '../console/log.js';

/**
 * A certificate is reported from this many days before it expires. The alert FcaenetCertificateExpiring has the same
 * limit.
 */
export const noticeDays = 14;

const dayMs = 86_400_000;

/** When a certificate expires, and its file. */
export interface CertificateExpiry {
  readonly file: string;
  /** Unix time in milliseconds. */
  readonly atMs: number;
}

/** The certificate that expires first. */
export function earliestExpiry(
  certificates: readonly (readonly [file: string, certificate: X509Certificate])[],
): CertificateExpiry {
  const all = certificates.map(([file, { validTo }]) => ({ file, atMs: Date.parse(validTo) }));
  return all.reduce((first, each) => (each.atMs < first.atMs ? each : first));
}

/**
 * Logs the certificates that expire within {@link noticeDays}, now and every day. A running process keeps its
 * connections, but new connections are refused.
 * @returns stops it
 */
export function announceExpiry(
  expiries: readonly CertificateExpiry[],
  log: Log,
  clock: Clock = systemClock,
): () => void {
  const look = () => {
    for (const { file, atMs } of expiries) {
      const daysLeft = (atMs - clock.date().getTime()) / dayMs;
      if (daysLeft > noticeDays) continue;
      const message = daysLeft > 0 ? 'a certificate expires soon' : 'a certificate has expired';
      log.warn(message, {
        file,
        validTo: new Date(atMs).toISOString(),
        daysLeft: Number(daysLeft.toFixed(1)),
      });
    }
  };
  look();
  return clock.every(dayMs, look);
}
