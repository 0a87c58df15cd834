import 'reflect-metadata';
import { randomBytes, webcrypto } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { makeFolderSync } from '../disk/folders.js';
import { TransportError } from './error.js';
import { makeJoinToken } from './join-token.js';
import type { TlsFiles } from './tls-files.js';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const dayMs = 86_400_000;
/** A new certificate must be valid on a machine whose clock is behind. */
const clockSkewMs = 3_600_000;
/** Names by which local processes reach the coordinator. */
const loopbackNames = ['localhost', '127.0.0.1', '::1'];

export interface CertificatesOptions {
  /** A folder that is empty or does not exist yet. */
  readonly directory: string;
  /** Host names and IP addresses by which workers reach the coordinator, besides the loopback names. */
  readonly names: readonly string[];
  readonly days: number;
  readonly nowMs: number;
}

/** Where {@link makeCertificates} puts the files of a coordinator or a worker. */
export function tlsFilesIn(directory: string, holder: 'coordinator' | 'worker'): TlsFiles {
  const path = (name: string) => join(directory, holder, name);
  return { certificate: path('tls.crt'), key: path('tls.key'), authority: path('ca.crt') };
}

/**
 * Makes a private certificate authority, a certificate for the coordinator (server and client, because local workers
 * use it too), a certificate for workers (server and client, because workers connect to each other) and a join token.
 * Only the owner can read the keys and the token.
 * @throws TransportError TRANSPORT_CERTIFICATES_EXIST when the folder is not empty, or
 * TRANSPORT_CERTIFICATES_UNWRITABLE
 */
export async function makeCertificates(options: CertificatesOptions): Promise<void> {
  const { directory, names } = options;
  openEmpty(directory);
  const validity = {
    notBefore: new Date(options.nowMs - clockSkewMs),
    notAfter: new Date(options.nowMs + options.days * dayMs),
  };
  const authorityKeys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: 'CN=fcaenet authority',
    ...validity,
    signingAlgorithm: algorithm,
    keys: authorityKeys,
    extensions: [
      // This authority signs end certificates only, no intermediate authorities.
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(authorityKeys.publicKey),
    ],
  });
  const { serverAuth, clientAuth } = x509.ExtendedKeyUsage;
  const issue = async (holder: 'coordinator' | 'worker', hosts: readonly string[]) => {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject: `CN=fcaenet ${holder}`,
      issuer: authority.subject,
      ...validity,
      signingAlgorithm: algorithm,
      publicKey: keys.publicKey,
      signingKey: authorityKeys.privateKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([serverAuth, clientAuth], true),
        new x509.SubjectAlternativeNameExtension(
          hosts.map((host) => ({ type: isIP(host) === 0 ? 'dns' : 'ip', value: host })),
        ),
        await x509.AuthorityKeyIdentifierExtension.create(authorityKeys.publicKey),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    const files = tlsFilesIn(directory, holder);
    write(files.certificate, certificate.toString('pem'), 0o644);
    write(files.key, await pemOf(keys.privateKey), 0o600);
    write(files.authority, authority.toString('pem'), 0o644);
  };
  const tokenFile = join(directory, 'join-token');
  const made: string[] = [];
  try {
    for (const folder of ['authority', 'coordinator', 'worker']) {
      mkdirSync(join(directory, folder), { mode: 0o700 });
      made.push(join(directory, folder));
    }
    write(join(directory, 'authority', 'ca.crt'), authority.toString('pem'), 0o644);
    write(join(directory, 'authority', 'ca.key'), await pemOf(authorityKeys.privateKey), 0o600);
    await issue('coordinator', [...new Set([...loopbackNames, ...names])]);
    await issue('worker', ['worker.fcaenet.invalid']);
    made.push(tokenFile);
    write(tokenFile, makeJoinToken(), 0o600);
  } catch (cause) {
    // Half of them would serve nobody, and the same command would refuse the folder.
    for (const path of made) rmSync(path, { recursive: true, force: true });
    throw unwritable(directory, cause);
  }
}

/** A positive serial number of 126 random bits (RFC 5280). */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x3f) | 0x40;
  return bytes.toString('hex');
}

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}

function write(path: string, text: string, mode: number): void {
  writeFileSync(path, `${text.trim()}\n`, { flag: 'wx', mode });
  chmodSync(path, mode);
}

function openEmpty(directory: string): void {
  let existing: string[];
  try {
    makeFolderSync(directory);
    existing = readdirSync(directory);
  } catch (cause) {
    throw unwritable(directory, cause);
  }
  if (existing.length === 0) return;
  throw new TransportError(
    'TRANSPORT_CERTIFICATES_EXIST',
    `${directory} holds ${existing.sort()[0]}, but certificates are only written into an empty or new folder`,
  );
}

function unwritable(directory: string, cause: unknown): TransportError {
  const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
  return new TransportError(
    'TRANSPORT_CERTIFICATES_UNWRITABLE',
    `certificates cannot be written to ${directory} (${reason})`,
    { cause },
  );
}
