import { connect, StorageType } from 'nats';
import { expect, onTestFinished, test } from 'vitest';
import { ownProcess } from '../../src/machine/process-name.js';
import { NatsLease } from '../../src/transport/events/nats-lease.js';
import { NatsLink, natsOptions } from '../../src/transport/events/nats-link.js';
import { NatsServer, natsMissing } from '../kit/nats-server.js';

const silent = { info: () => {}, warn: () => {}, error: () => {} };
const isMissing = natsMissing !== '';
const elsewhere = { term: 5, pid: 1, host: 'elsewhere.example', processStart: null };

async function start(leaseSeconds: number) {
  const server = await NatsServer.start();
  onTestFinished(() => server.remove());
  const link = new NatsLink(server.settings, 'test', silent);
  onTestFinished(() => link.close());
  const connection = await connect({ servers: server.url });
  onTestFinished(() => connection.close());
  const bucket = () =>
    connection.jetstream().views.kv('FCAENET_LEASES', {
      ttl: leaseSeconds * 1000,
      history: 1,
      storage: StorageType.File,
    });
  return { server, link, bucket, lease: new NatsLease(link, 'a.b', leaseSeconds) };
}

test.skipIf(isMissing)(
  `a second coordinator is refused until the lease has run out${natsMissing}`,
  async () => {
    const { bucket, lease } = await start(1);
    await (await bucket()).put('a=2Eb', JSON.stringify(elsewhere));
    await expect(lease.acquire()).rejects.toMatchObject({
      code: 'TRANSPORT_NATS_LEASE_HELD',
      message: expect.stringContaining(
        'says that process 1 on elsewhere.example leads run a.b (term 5); its lease ends 1 s after its last renewal',
      ),
    });
    await expect
      .poll(() => lease.acquire().then(() => 'taken', String), { timeout: 5_000, interval: 200 })
      .toBe('taken');
  },
);

test.skipIf(isMissing)(`a holder of this host that has died is replaced at once${natsMissing}`, async () => {
  const { bucket, lease } = await start(30);
  const dead = { ...ownProcess(), processStart: '1', pid: 1, term: 4 };
  await (await bucket()).put('a=2Eb', JSON.stringify(dead));
  await lease.acquire();
  expect(lease.lastTerm).toBe(4);
  await lease.announce(5);
  expect((await (await bucket()).get('a=2Eb'))?.json()).toEqual({ term: 5, ...ownProcess() });
});

test.skipIf(isMissing)(`what nobody of ours wrote binds nobody${natsMissing}`, async () => {
  const { bucket, lease } = await start(30);
  await (await bucket()).put('a=2Eb', 'not a holder');
  await lease.acquire();
  expect(await lease.renew()).toBe('held');
});

test.skipIf(isMissing)(
  `a lease is renewed, lost to another, and given back by its holder only${natsMissing}`,
  async () => {
    const { bucket, lease } = await start(30);
    await lease.acquire();
    expect(await lease.renew()).toBe('held');
    await (await bucket()).put('a=2Eb', JSON.stringify(elsewhere));
    expect(await lease.renew()).toBe('lost');
    await lease.release();
    expect((await (await bucket()).get('a=2Eb'))?.json()).toEqual(elsewhere);
    await (await bucket()).delete('a=2Eb');
    await lease.acquire();
    await lease.release();
    expect((await (await bucket()).get('a=2Eb'))?.operation).toBe('DEL');
  },
);

test.skipIf(isMissing)(
  `without the server nobody can tell; with it again the lease is held on${natsMissing}`,
  async () => {
    const { server, link, lease } = await start(30);
    await lease.acquire();
    await server.kill();
    await expect.poll(() => link.connected).toBe(false);
    expect(await lease.renew()).toBe('unknown');
    await server.start();
    await expect.poll(() => lease.renew(), { timeout: 5_000 }).toBe('held');
  },
);

test.skipIf(isMissing)(
  `a longer lease than the bucket was made for is kept as long${natsMissing}`,
  async () => {
    const { link, bucket, lease } = await start(1);
    await lease.acquire();
    expect((await (await bucket()).status()).ttl).toBe(1_000);
    await new NatsLease(link, 'other', 60).acquire();
    expect((await (await bucket()).status()).ttl).toBe(60_000);
  },
);

test('a file of the settings that cannot be read is named', () => {
  const settings = {
    url: 'tls://127.0.0.1:4222',
    credentials: null,
    tls: { ca: '/nowhere/ca.pem', cert: null, key: null },
    bufferedEvents: 1,
  };
  expect(() => natsOptions(settings, 'test')).toThrow(
    expect.objectContaining({
      code: 'TRANSPORT_NATS_SETTINGS',
      message: expect.stringContaining(
        '/nowhere/ca.pem, named in spec.operation.nats, cannot be read (ENOENT)',
      ),
    }),
  );
});
