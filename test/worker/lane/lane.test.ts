import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { ReductionTree } from '../../../src/reduction/tree.js';
import { bytesOf } from '../../../src/transport/bytes.js';
import { makeCertificates, tlsFilesIn } from '../../../src/transport/certificates.js';
import { readTlsFiles, type TlsMaterial } from '../../../src/transport/tls-files.js';
import type { RangeSum } from '../../../src/worker/exchange/output.js';
import type { LaneListener, Lane as OpenLane } from '../../../src/worker/lane/lane.js';
import { cut, position, reduceOf } from '../exchange/group.js';
import { until } from '../peering/worker.js';

// A thread needs a file of JavaScript.
const { Lane } = (await import(
  resolve('dist/worker/lane/lane.js')
)) as typeof import('../../../src/worker/lane/lane.js');

const shape = {
  precision: 'float32' as const,
  gradientCount: 300_001,
  momentBlocks: [],
  weightCount: 300_007,
  microbatches: 2,
};
const tree = new ReductionTree(2, 2);

class LaneUser implements LaneListener {
  readonly sums: { readonly sum: RangeSum; readonly done: () => void }[] = [];
  readonly arrived: { readonly version: number; readonly values: Float32Array; readonly done: () => void }[] =
    [];
  readonly unreached: number[] = [];
  readonly missing: number[] = [];
  readonly refusals: string[] = [];
  readonly failures: Error[] = [];
  lane!: OpenLane;
  key = new Uint8Array(16);

  constructor(
    readonly member: number,
    private readonly relayed: (from: number, to: number, message: Uint8Array) => void,
    private readonly tls: TlsMaterial | null = null,
  ) {
    this.key.fill(member);
  }

  async open(host = '127.0.0.1', port = 0): Promise<this> {
    const { member, key } = this;
    const identity = { run: 'birds', term: 1, member, key, tls: this.tls };
    this.lane = await Lane.open({ identity, shape, host, port }, this);
    return this;
  }

  weights(version: number, bytes: Uint8Array, done: () => void): void {
    this.arrived.push({ version, values: new Float32Array(bytes.buffer), done });
  }
  sum(sum: RangeSum, done: () => void): void {
    this.sums.push({ sum, done });
  }
  weightsLost(): void {}

  weightsMissing(version: number): void {
    this.missing.push(version);
  }
  unreachable(member: number): void {
    this.unreached.push(member);
  }
  reached(): void {}
  relay(member: number, message: Uint8Array, done: () => void): void {
    this.relayed(this.member, member, message);
    done();
  }
  refused(reason: string): void {
    this.refusals.push(reason);
  }
  failed(error: Error): void {
    this.failures.push(error);
  }

  get peer() {
    return {
      member: this.member,
      address: `127.0.0.1:${this.lane.port}`,
      key: Buffer.from(this.key),
      certificateSha256: this.tls
        ? createHash('sha256').update(new X509Certificate(this.tls.certificate).raw).digest()
        : Buffer.alloc(0),
    };
  }
}

const folder = mkdtempSync(join(tmpdir(), 'fcaenet-lane-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function tlsOfWorkers(): Promise<TlsMaterial> {
  const directory = join(folder, 'certs');
  await makeCertificates({ directory, names: [], days: 1, nowMs: Date.now() });
  return readTlsFiles(tlsFilesIn(directory, 'worker'));
}

let users: LaneUser[] = [];
afterEach(async () => {
  await Promise.all(users.map(({ lane }) => lane.close()));
  users = [];
});

async function openTwo(tls: TlsMaterial | null = null): Promise<void> {
  const relay = (from: number, to: number, message: Uint8Array) =>
    users[to - 1]!.lane.takeRelayed(from, message);
  users = await Promise.all([1, 2].map((member) => new LaneUser(member, relay, tls).open()));
}

const vector = (count: number, factor: number) =>
  Float32Array.from({ length: count }, (_, place) => Math.sin(factor * place));

async function exchangeStep(step: number): Promise<void> {
  const gradients = users.map(({ member }) => vector(shape.gradientCount, member + step));
  const nodes = users.map(({ member }, index) => ({ node: { level: 0, index }, member }));
  const ranges = cut(shape.gradientCount, [1, 2]);
  for (const [place, { lane }] of users.entries()) {
    lane.follow({ plan: { position: position(step), ranges } });
    lane.hold(position(step), nodes[place]!.node, gradients[place]!);
    // It was copied.
    const own = gradients[place]!.slice();
    gradients[place]!.fill(Number.NaN);
    gradients[place] = own;
    lane.follow({ reduce: reduceOf(step, 1, tree, nodes) });
  }
  await until(() => users.every(({ sums }) => sums.length === step + 1));
  for (const [place, { sums }] of users.entries()) {
    const { sum, done } = sums[step]!;
    const { start, end } = ranges[place]!.range;
    const expected = gradients[0]!.map((value, at) => value + gradients[1]![at]!).slice(start, end);
    expect(Buffer.compare(bytesOf(sum.sum), bytesOf(expected))).toBe(0);
    done();
  }
}

describe('a lane', () => {
  test.each(['plain text', 'TLS'])(
    'exchanges gradients and weights over %s, in memory that is used again',
    async (kind) => {
      await openTwo(kind === 'TLS' ? await tlsOfWorkers() : null);
      const peers = users.map(({ peer }) => peer);
      for (const { lane } of users) lane.follow({ peers: { peers, coordinator: null } });
      for (const step of [0, 1, 2, 3]) {
        await exchangeStep(step);
        const version = step + 1;
        const ranges = cut(shape.weightCount, [1, 2]);
        const weights = vector(shape.weightCount, version);
        for (const [place, { lane }] of users.entries()) {
          lane.follow({ weightsPlan: { version, ranges } });
          const { range } = ranges[place]!;
          const bytes = new Uint8Array(bytesOf(weights.slice(range.start, range.end)));
          lane.takeWeights({ version, range, forward: true, transfer: null }, bytes);
        }
        await until(() => users.every(({ arrived }) => arrived.length === version));
        for (const { arrived } of users) {
          const { values, done } = arrived.at(-1)!;
          expect(Buffer.compare(bytesOf(values), bytesOf(weights))).toBe(0);
          done();
        }
      }
      expect(
        users.flatMap(({ failures, unreached, refusals }) => [failures, unreached, refusals].flat()),
      ).toEqual([]);
    },
  );

  test('sends what is for a peer that it cannot reach to the coordinator', async () => {
    await openTwo();
    const peers = users.map(({ peer }) => ({ ...peer, address: '127.0.0.1:1' }));
    for (const { lane } of users) lane.follow({ peers: { peers, coordinator: null } });
    await exchangeStep(0);
    expect(users.map(({ unreached }) => unreached)).toEqual([[2], [1]]);
  });

  test('says what it lacks when the owner of weights is gone', async () => {
    await openTwo();
    const [one] = users as [LaneUser];
    one.lane.follow({ peers: { peers: users.map(({ peer }) => peer), coordinator: null } });
    one.lane.follow({ weightsPlan: { version: 5, ranges: cut(shape.weightCount, [1, 2]) } });
    one.lane.follow({ peers: { peers: [one.peer], coordinator: null } });
    await until(() => one.missing.length > 0);
    expect(one.missing).toEqual([5]);
  });

  test('whose coordinator contradicts itself fails the worker', async () => {
    await openTwo();
    const [one] = users as [LaneUser];
    one.lane.follow({ plan: { position: null, ranges: [] } });
    await until(() => one.failures.length > 0);
    expect(one.failures).toMatchObject([
      {
        code: 'WORKER_EXCHANGE',
        exitCode: 1,
        message:
          "the exchange with other workers failed: a plan of an exchange names no position, expected the step's",
      },
    ]);
    // It is over, and says nothing more.
    one.lane.follow({ plan: { position: null, ranges: [] } });
    await new Promise((done) => setTimeout(done, 50));
    expect(one.failures).toHaveLength(1);
  });

  test('that cannot listen does not open', async () => {
    await openTwo();
    const { port } = users[0]!.lane;
    await expect(new LaneUser(3, () => {}).open('127.0.0.1', port)).rejects.toMatchObject({
      code: 'WORKER_EXCHANGE',
      message: `the exchange with other workers failed: this worker cannot listen for its peers at port ${port} of 127.0.0.1 (EADDRINUSE)`,
    });
  });
});
