import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { NatsSettings } from '../../src/run/training-run.js';
import { NatsLink } from '../../src/transport/events/nats-link.js';
import { runToken } from '../../src/transport/events/nats-names.js';
import { NatsServer, natsMissing } from '../kit/nats-server.js';
import { temporaryDirectory } from '../run/support.js';

/** A private CA, and certificates of it for 127.0.0.1: `ca.pem`, `server.pem`, `client.pem` with their `.key`. */
function certificates(): string {
  const folder = temporaryDirectory();
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=ca', '-days', '1');
  writeFileSync(join(folder, 'extensions'), 'subjectAltName=IP:127.0.0.1\n');
  for (const name of ['server', 'client']) {
    openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '1'];
    openssl('x509', '-req', '-in', `${name}.csr`, ...signed, '-extfile', 'extensions', '-out', `${name}.pem`);
  }
  return folder;
}

test.skipIf(natsMissing !== '')(
  `a server that asks for certificates is reached with one of its CA, and not without${natsMissing}`,
  async () => {
    const folder = certificates();
    const file = (name: string) => join(folder, name);
    const server = await NatsServer.start([
      ...['--tlsverify', '--tlscert', file('server.pem'), '--tlskey', file('server.key')],
      ...['--tlscacert', file('ca.pem')],
    ]);
    onTestFinished(() => server.remove());
    const warnings: string[] = [];
    const log = { info: () => {}, warn: (message: string) => void warnings.push(message), error: () => {} };
    const open = (tls: NatsSettings['tls']) => {
      const url = server.url.replace('nats:', 'tls:');
      const link = new NatsLink({ ...server.settings, url, tls }, 'test', log);
      onTestFinished(() => link.close());
      return link.get(1_500);
    };
    const [ca, cert, key] = [file('ca.pem'), file('client.pem'), file('client.key')];
    expect(await open({ ca, cert, key })).not.toBeNull();
    expect(warnings).toEqual([]);
    expect(await open({ ca, cert: null, key: null })).toBeNull();
  },
);

test('a run’s name is one token, and no two names are the same one', () => {
  expect(['quick', 'v1.2', 'v1-2'].map(runToken)).toEqual(['quick', 'v1=2E2', 'v1-2']);
});
