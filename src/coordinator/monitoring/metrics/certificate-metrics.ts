import type { CertificateExpiry } from '../../../transport/certificate-expiry.js';
import type { Instruments } from './instruments.js';

/** What a coordinator has certificates for: its port, and the NATS server. */
export type CertificateUse = 'coordinator' | 'nats';

export interface CertificateSources {
  /** For each use that has certificates, the one that expires first. */
  readonly certificates: Partial<Readonly<Record<CertificateUse, CertificateExpiry>>>;
}

/** Metrics of the certificates: until when new connections are possible. */
export function registerCertificateMetrics(
  instruments: Instruments,
  { certificates }: CertificateSources,
): void {
  const gauge = instruments.gauge(
    'fcaenet_certificate_expiry_timestamp_seconds',
    'Unix time at which the first of the coordinator’s certificates ends; absent where it has none.',
    ['certificate'],
  );
  for (const [certificate, { atMs }] of Object.entries(certificates)) gauge.set({ certificate }, atMs / 1000);
}
