import { X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeCertificates, tlsFilesIn } from '../../src/transport/certificates.js';
import { isJoinToken, makeJoinToken, readJoinToken } from '../../src/transport/join-token.js';
import { readTlsFiles } from '../../src/transport/tls-files.js';

const folder = mkdtempSync(join(tmpdir(), 'fcaenet-security-'));
const certs = join(folder, 'certs');
const dayMs = 86_400_000;
const nowMs = Date.now();
const options = { directory: certs, names: ['coordinator.example', '10.0.0.5'], days: 30, nowMs };
const file = (name: string, text: string | Buffer): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

beforeAll(() => makeCertificates(options));
afterAll(() => rmSync(folder, { recursive: true }));

test.each(['coordinator', 'worker'] as const)('the files of a %s are what the process accepts', (holder) => {
  expect(Object.keys(readTlsFiles(tlsFilesIn(certs, holder)))).toEqual([
    ...['certificate', 'key', 'authority', 'expiry'],
  ]);
});

test('the coordinator is named by its hosts and by those of loopback, and signed by the authority', () => {
  const authority = new X509Certificate(readFileSync(join(certs, 'authority', 'ca.crt')));
  const coordinator = new X509Certificate(readFileSync(tlsFilesIn(certs, 'coordinator').certificate));
  for (const host of ['coordinator.example', 'localhost']) expect(coordinator.checkHost(host)).toBe(host);
  for (const ip of ['127.0.0.1', '10.0.0.5', '::1']) expect(coordinator.checkIP(ip)).toBe(ip);
  expect(coordinator.checkHost('elsewhere.example')).toBeUndefined();
  expect(coordinator.verify(authority.publicKey)).toBe(true);
  expect([authority.ca, coordinator.ca]).toEqual([true, false]);
  expect(coordinator.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
  expect(Date.parse(coordinator.validTo)).toBeLessThanOrEqual(nowMs + 30 * dayMs);
});

test.each(['coordinator', 'worker'] as const)(
  'the certificate of a %s is for servers and clients',
  (holder) => {
    const { keyUsage } = new X509Certificate(readFileSync(tlsFilesIn(certs, holder).certificate));
    expect(keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
  },
);

test('keys and token can be read by their owner alone', () => {
  for (const name of ['authority/ca.key', 'coordinator/tls.key', 'worker/tls.key', 'join-token']) {
    expect(statSync(join(certs, name)).mode & 0o777).toBe(0o600);
  }
  expect(readJoinToken(join(certs, 'join-token'), {})).toHaveLength(43);
});

test('an authority is never overwritten', async () => {
  const before = readFileSync(join(certs, 'authority', 'ca.key'), 'utf8');
  await expect(makeCertificates(options)).rejects.toMatchObject({
    code: 'TRANSPORT_CERTIFICATES_EXIST',
    exitCode: 73,
    message: `${certs} holds authority, but certificates are only written into an empty or new folder`,
  });
  expect(readFileSync(join(certs, 'authority', 'ca.key'), 'utf8')).toBe(before);
});

test('a folder that cannot be made is refused', async () => {
  const directory = join(file('a-file', ''), 'certs');
  await expect(makeCertificates({ ...options, directory })).rejects.toMatchObject({
    code: 'TRANSPORT_CERTIFICATES_UNWRITABLE',
    message: `certificates cannot be written to ${directory} (ENOTDIR)`,
  });
});

test.each([
  ['certificate', 'absent.crt', 'TRANSPORT_TLS_FILE_UNREADABLE', / absent\.crt does not exist$/],
  ['key', 'absent.key', 'TRANSPORT_TLS_FILE_UNREADABLE', / absent\.key does not exist$/],
  ['authority', folder, 'TRANSPORT_TLS_FILE_UNREADABLE', /cannot be read \(EISDIR\)$/],
  ['certificate', file('not.pem', 'hello'), 'TRANSPORT_TLS_FILE_INVALID', /contains no "BEGIN CERTIFICATE"/],
  ['authority', file('large.pem', Buffer.alloc(2 << 20)), 'TRANSPORT_TLS_FILE_INVALID', /has 2097152 bytes/],
  ['key', file('not.key', 'hello'), 'TRANSPORT_TLS_FILE_INVALID', /contains no private key in PEM form/],
  [
    'certificate',
    file('broken.pem', '-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n'),
    'TRANSPORT_TLS_FILE_INVALID',
    /contains a certificate that cannot be decoded/,
  ],
  [
    'key',
    join(certs, 'coordinator', 'tls.key'),
    'TRANSPORT_TLS_KEY_MISMATCH',
    /^the key \S+coordinator\/tls\.key does not belong to the certificate \S+worker\/tls\.crt$/,
  ],
])('a wrong %s (%s) is refused: %s', (field, path, code, message) => {
  const files = { ...tlsFilesIn(certs, 'worker'), [field]: path };
  expect(() => readTlsFiles(files)).toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(message) }),
  );
});

test.each([
  ['has expired', nowMs + 31 * dayMs],
  ['is not valid yet', nowMs - dayMs],
])('a certificate that %s is refused with its dates', (_, now) => {
  expect(() => readTlsFiles(tlsFilesIn(certs, 'worker'), now)).toThrow(
    expect.objectContaining({
      code: 'TRANSPORT_TLS_NOT_VALID_NOW',
      message: expect.stringMatching(/is valid from \S+Z to \S+Z, but it is \S+Z$/),
    }),
  );
});

test('the token comes from the file, else from the environment, else there is none', () => {
  const path = file('token', '  a-token-of-a-file\n');
  expect(readJoinToken(path, { FCAENET_JOIN_TOKEN: 'a-token-of-the-environment' })).toBe('a-token-of-a-file');
  expect(readJoinToken(null, { FCAENET_JOIN_TOKEN: 'a-token-of-the-environment' })).toBe(
    'a-token-of-the-environment',
  );
  expect(readJoinToken(null, {})).toBeNull();
});

test.each(['short', 'x'.repeat(257), 'with spaces in the middle', ''])(
  'token %j is refused, and not shown',
  (text) => {
    expect(() => readJoinToken(null, { FCAENET_JOIN_TOKEN: text })).toThrow(
      expect.objectContaining({
        code: 'TRANSPORT_JOIN_TOKEN_INVALID',
        message: `the join token in FCAENET_JOIN_TOKEN has ${text.length} characters, expected 16 to 256 letters, digits or signs without spaces`,
      }),
    );
  },
);

test('a token file that is not there is named', () => {
  mkdirSync(join(folder, 'empty'));
  expect(() => readJoinToken(join(folder, 'empty', 'token'), {})).toThrow(
    /empty\/token cannot be read \(ENOENT\)$/,
  );
});

test('tokens are compared whole', () => {
  const token = makeJoinToken();
  expect(isJoinToken(token, token)).toBe(true);
  for (const other of ['', token.slice(1), `${token}x`, makeJoinToken()]) {
    expect(isJoinToken(token, other)).toBe(false);
  }
});
