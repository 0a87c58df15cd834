import type { X509Certificate } from 'node:crypto';
import { type Clock, systemClock } from '../clock.js';
import type { Log } from '../console/log.js';

/** From so long before its end a certificate is announced. The alert FcaenetCertificateExpiring has the same bound. */
export const noticeDays = 14;

const dayMs = 86_400_000;

/** When a certificate ends, and where it is. */
export interface CertificateExpiry {
  readonly file: string;
  /** Unix time in milliseconds. */
  readonly atMs: number;
}

/** Of certificates that are needed together, the one that ends first. */
export function earliestExpiry(
  certificates: readonly (readonly [file: string, certificate: X509Certificate])[],
): CertificateExpiry {
  const all = certificates.map(([file, { validTo }]) => ({ file, atMs: Date.parse(validTo) }));
  return all.reduce((first, each) => (each.atMs < first.atMs ? each : first));
}

/**
 * Says at once and then every day which certificates end within {@link noticeDays}. A process that holds them goes on,
 * but whoever connects after that is refused.
 * @returns ends it
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
