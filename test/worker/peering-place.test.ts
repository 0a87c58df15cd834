import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeCertificates, tlsFilesIn } from '../../src/transport/certificates.js';
import { readTlsFiles, type TlsMaterial } from '../../src/transport/tls-files.js';
import { type PeeringPlace, peeringPlace } from '../../src/worker/peering-place.js';

const folder = mkdtempSync(join(tmpdir(), 'fcaenet-place-'));
let tls: TlsMaterial;
beforeAll(async () => {
  const directory = join(folder, 'certs');
  await makeCertificates({ directory, names: [], days: 1, nowMs: Date.now() });
  tls = readTlsFiles(tlsFilesIn(directory, 'worker'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const unset = { listen: null, advertise: null };

describe('a worker listens', () => {
  test('on loopback in plain text', () => {
    const { host, port, advertised } = peeringPlace(unset, null, '127.0.0.1', false) as PeeringPlace;
    expect([host, port, advertised(7001)]).toEqual(['127.0.0.1', 0, '127.0.0.1:7001']);
  });

  test.each([
    ['10.0.0.5', '10.0.0.5:7001'],
    ['::ffff:10.0.0.5', '10.0.0.5:7001'],
    ['fd00::5', '[fd00::5]:7001'],
  ])(
    'on all addresses with TLS, and others reach it where its own connection begins: %s',
    (local, reached) => {
      const { host, port, advertised } = peeringPlace(unset, tls, local, false) as PeeringPlace;
      expect([host, port, advertised(7001)]).toEqual([null, 0, reached]);
    },
  );

  test('where it is told to', () => {
    const settings = { listen: { host: '10.0.0.5', port: 7500 }, advertise: { host: 'rack-3', port: null } };
    const { host, port, advertised } = peeringPlace(settings, tls, '10.0.0.5', true) as PeeringPlace;
    expect([host, port, advertised(7500)]).toEqual(['10.0.0.5', 7500, 'rack-3:7500']);
    const mapped = { ...settings, advertise: { host: 'rack-3', port: 7600 } };
    expect((peeringPlace(mapped, tls, '10.0.0.5', false) as PeeringPlace).advertised(7500)).toBe(
      'rack-3:7600',
    );
  });

  test('not behind a proxy, unless it is told how others reach it', () => {
    expect(peeringPlace(unset, tls, '10.0.0.5', true)).toBe(
      'this worker connects through a proxy, and without --advertise others do not know its address',
    );
  });

  test('not with a certificate for clients only', async () => {
    const keys = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign']);
    const extensions = [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth])];
    const made = await x509.X509CertificateGenerator.createSelfSigned({ keys, extensions });
    const clientsOnly = { ...tls, certificate: Buffer.from(made.toString('pem')) };
    expect(peeringPlace(unset, clientsOnly, '10.0.0.5', false)).toBe(
      "this worker's certificate is for clients only, but others connect only to one that is for servers too",
    );
  });
});
