import { createPrivateKey, X509Certificate } from 'node:crypto';
import { InputFileFault, readInputFile, whyUnread } from '../disk/input-file.js';
import { type CertificateExpiry, earliestExpiry } from './certificate-expiry.js';
import { TransportError } from './error.js';

/** Paths of PEM files. */
export interface TlsFiles {
  /** This process's certificate, followed by intermediate ones if there are any. */
  readonly certificate: string;
  readonly key: string;
  /** Certificates of the authority that peers' certificates come from. */
  readonly authority: string;
}

/** The content of {@link TlsFiles}, checked. */
export interface TlsMaterial {
  readonly certificate: Buffer;
  readonly key: Buffer;
  readonly authority: Buffer;
  /** The earliest expiry among these certificates. */
  readonly expiry: CertificateExpiry;
}

const largestFileBytes = 1 << 20;
const pemBlock = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/**
 * Reads the certificate, the key and the authority. Reports faults that would otherwise only show as a failed
 * connection.
 * @param nowMs time at which the certificates must be valid
 * @throws TransportError TRANSPORT_TLS_FILE_UNREADABLE, TRANSPORT_TLS_FILE_INVALID, TRANSPORT_TLS_NOT_VALID_NOW or
 * TRANSPORT_TLS_KEY_MISMATCH
 */
export function readTlsFiles(files: TlsFiles, nowMs = Date.now()): TlsMaterial {
  const certificate = read(files.certificate, 'certificate');
  const authority = read(files.authority, 'authority');
  const key = read(files.key, 'key');
  const [own, issuers] = [
    certificatesIn(files.certificate, certificate),
    certificatesIn(files.authority, authority),
  ];
  const all = [
    ...own.map((each) => [files.certificate, each] as const),
    ...issuers.map((each) => [files.authority, each] as const),
  ];
  for (const [path, each] of all) checkValidity(path, each, nowMs);
  if (!own[0]!.checkPrivateKey(privateKeyIn(files.key, key))) {
    throw new TransportError(
      'TRANSPORT_TLS_KEY_MISMATCH',
      `the key ${files.key} does not belong to the certificate ${files.certificate}`,
    );
  }
  return { certificate, key, authority, expiry: earliestExpiry(all) };
}

function read(path: string, what: string): Buffer {
  try {
    return readInputFile(path, largestFileBytes);
  } catch (cause) {
    if (cause instanceof InputFileFault) {
      throw new TransportError('TRANSPORT_TLS_FILE_INVALID', `the TLS ${what} ${path} ${cause.message}`, {
        cause,
      });
    }
    const { code } = cause as NodeJS.ErrnoException;
    const why = code === 'ENOENT' || code === 'ENOTDIR' ? 'does not exist' : whyUnread(cause);
    throw new TransportError('TRANSPORT_TLS_FILE_UNREADABLE', `the TLS ${what} ${path} ${why}`, { cause });
  }
}

/** The certificates of a PEM file, at least one. @throws TransportError TRANSPORT_TLS_FILE_INVALID */
export function certificatesIn(path: string, bytes: Buffer): X509Certificate[] {
  const blocks = bytes.toString('latin1').match(pemBlock) ?? [];
  try {
    if (blocks.length > 0) return blocks.map((block) => new X509Certificate(block));
  } catch (cause) {
    throw new TransportError(
      'TRANSPORT_TLS_FILE_INVALID',
      `${path} contains a certificate that cannot be decoded, expected certificates in PEM form`,
      { cause },
    );
  }
  throw new TransportError(
    'TRANSPORT_TLS_FILE_INVALID',
    `${path} contains no "BEGIN CERTIFICATE", expected certificates in PEM form`,
  );
}

function privateKeyIn(path: string, bytes: Buffer) {
  try {
    return createPrivateKey(bytes);
  } catch (cause) {
    throw new TransportError(
      'TRANSPORT_TLS_FILE_INVALID',
      `${path} contains no private key in PEM form without a passphrase`,
      { cause },
    );
  }
}

function checkValidity(path: string, certificate: X509Certificate, nowMs: number): void {
  const [from, to] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
  if (nowMs >= from && nowMs <= to) return;
  const day = (ms: number) => new Date(ms).toISOString();
  throw new TransportError(
    'TRANSPORT_TLS_NOT_VALID_NOW',
    `the certificate in ${path} is valid from ${day(from)} to ${day(to)}, but it is ${day(nowMs)}`,
  );
}
