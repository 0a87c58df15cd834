import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ReductionTree } from '../../../src/reduction/tree.js';
import { bytesOf } from '../../../src/transport/bytes.js';
import { makeCertificates, tlsFilesIn } from '../../../src/transport/certificates.js';
import type { Peer } from '../../../src/transport/peers/identity.js';
import { readTlsFiles, type TlsMaterial } from '../../../src/transport/tls-files.js';
import type { PeerPatience } from '../../../src/worker/peering/peer-links.js';
import { TcpProxy } from '../../kit/tcp-proxy.js';
import { cut, position, reduceOf } from '../exchange/group.js';
import { ExchangeWorker, type ExchangeWorkerOptions, shape, until } from './worker.js';

const folder = mkdtempSync(join(tmpdir(), 'fcaenet-peering-'));
let tls: TlsMaterial;
let otherCertificate: TlsMaterial;
let otherAuthority: TlsMaterial;

beforeAll(async () => {
  for (const name of ['run', 'other']) {
    const directory = join(folder, name);
    await makeCertificates({ directory, names: [], days: 1, nowMs: Date.now() });
  }
  tls = readTlsFiles(tlsFilesIn(join(folder, 'run'), 'worker'));
  otherCertificate = readTlsFiles(tlsFilesIn(join(folder, 'run'), 'coordinator'));
  otherAuthority = readTlsFiles(tlsFilesIn(join(folder, 'other'), 'worker'));
});
afterAll(() => rmSync(folder, { recursive: true }));

let workers: ExchangeWorker[] = [];
let listeners: Server[] = [];
afterEach(() => {
  for (const { peering } of workers) peering.close();
  for (const listener of listeners) listener.close();
  workers = [];
  listeners = [];
});

const byNumber = (number: number) => workers.find(({ options }) => options.member === number)!;

async function open(options: ExchangeWorkerOptions): Promise<ExchangeWorker> {
  const worker = await ExchangeWorker.open(options, (from, to, message) =>
    byNumber(to).peering.takeRelayed(from, message),
  );
  workers.push(worker);
  return worker;
}

const vector = (count: number, factor: number) =>
  Float32Array.from({ length: count }, (_, place) => Math.fround(Math.sin(factor * place)));

/** Each member holds one leaf, and each adds its range. */
async function exchangeStep(step: number): Promise<void> {
  const numbers = workers.map(({ options }) => options.member);
  const tree = new ReductionTree(numbers.length, 4);
  const gradients = numbers.map((number) => vector(shape.gradientCount, number));
  const nodes = numbers.map((member, place) => ({ node: { level: 0, index: tree.leaves[place]! }, member }));
  const ranges = cut(shape.gradientCount, numbers);
  for (const [place, { peering }] of workers.entries()) {
    peering.exchange.planStep({ position: position(step), ranges });
    peering.hold(position(step), nodes[place]!.node, gradients[place]!.slice());
    peering.exchange.reduce(reduceOf(step, 1, tree, nodes));
  }
  await until(() => workers.every(({ sums }) => sums.length > step));
  for (const [place, { sums }] of workers.entries()) {
    const { range, sum } = sums[step]!;
    expect(range).toEqual(ranges[place]!.range);
    // Two leaves: a tree of this size adds them left to right.
    const expected = gradients[0]!.map((value, at) => value + gradients[1]![at]!);
    expect(Buffer.compare(bytesOf(sum), bytesOf(expected.slice(range.start, range.end)))).toBe(0);
  }
}

async function passWeights(version: number): Promise<void> {
  const numbers = workers.map(({ options }) => options.member);
  const ranges = cut(shape.weightCount, numbers);
  const weights = vector(shape.weightCount, version);
  for (const [place, { peering }] of workers.entries()) {
    const { range } = ranges[place]!;
    peering.exchange.planWeights({ version, ranges });
    peering.exchange.takeWeights(
      { version, range, forward: true },
      bytesOf(weights.subarray(range.start, range.end)),
    );
  }
  await until(() => workers.every((worker) => worker.weights.some((each) => each.version === version)));
  for (const worker of workers) {
    const found = worker.weights.find((each) => each.version === version)!.values;
    expect(Buffer.compare(bytesOf(found), bytesOf(weights))).toBe(0);
  }
}

function introduce(change: (peer: Peer) => Peer = (peer) => peer): void {
  const peers = workers.map(({ peer }) => change(peer));
  for (const { peering } of workers) peering.setPeers(peers);
}

describe.each(['plain text', 'TLS'])('over %s', (kind) => {
  const security = () => (kind === 'TLS' ? tls : null);

  test('gradients and weights are exchanged, and no message goes through the coordinator', async () => {
    for (const member of [1, 2]) await open({ member, tls: security() });
    introduce();
    for (const step of [0, 1, 2]) {
      await exchangeStep(step);
      await passWeights(step + 1);
    }
    expect(workers.map(({ relayed, unreachable, refusals }) => [relayed, unreachable, refusals])).toEqual([
      [0, [], []],
      [0, [], []],
    ]);
    // In each step a range of a gradient and one of the weights go each way.
    const [first, second] = workers.map(({ traffic }) => traffic);
    expect(first!.sentBytes).toBeGreaterThan(0);
    expect([second!.receivedBytes, first!.receivedBytes]).toEqual([first!.sentBytes, second!.sentBytes]);
    // The gradients of the last step are still held.
    expect(workers.map(({ released }) => released.length)).toEqual([2, 2]);
  });

  test('a sender that the coordinator names later waits', async () => {
    for (const member of [1, 2]) await open({ member, tls: security() });
    const peers = workers.map(({ peer }) => peer);
    workers[0]!.peering.setPeers(peers);
    setTimeout(() => workers[1]!.peering.setPeers(peers), 200);
    await exchangeStep(0);
    expect(workers.flatMap(({ unreachable }) => unreachable)).toEqual([]);
  });

  test('a sender without the key is refused once, and its parts go through the coordinator', async () => {
    for (const member of [1, 2]) await open({ member, tls: security(), patience: { firstPauseMs: 1 } });
    introduce((peer) => (peer.member === 2 ? { ...peer, key: Buffer.alloc(16) } : peer));
    await exchangeStep(0);
    await passWeights(1);
    const sentence = 'member 1 does not know the key of member 2, which every peer must know';
    expect(workers[0]!.unreachable).toEqual([{ member: 2, reason: sentence }]);
    expect(workers[1]!.refusals).toEqual([sentence]);
    expect(workers[0]!.relayed).toBeGreaterThan(0);
    expect(workers[1]!.relayed).toBe(0);
  });

  test('a sender that no message of the coordinator names is refused', async () => {
    const limits = { helloMs: 1_000, unknownMs: 100 };
    for (const member of [1, 2]) await open({ member, tls: security(), limits });
    workers[0]!.peering.setPeers(workers.map(({ peer }) => peer));
    await until(() => workers[0]!.unreachable.length > 0);
    expect(workers[0]!.unreachable[0]!.reason).toBe(
      'a peer calls itself member 1, but the coordinator has named no such member',
    );
  });

  test('a peer where nobody listens is unreachable once, and everything goes through the coordinator', async () => {
    for (const member of [1, 2]) await open({ member, tls: security() });
    introduce((peer) => (peer.member === 2 ? { ...peer, address: '127.0.0.1:1' } : peer));
    await exchangeStep(0);
    await passWeights(1);
    await exchangeStep(1);
    expect(workers[0]!.unreachable).toMatchObject([
      { member: 2, reason: expect.stringContaining('ECONNREFUSED') },
    ]);
    expect(workers[1]!.unreachable).toEqual([]);
  });

  test('a peer of another term is refused', async () => {
    await open({ member: 1, tls: security(), term: 2 });
    await open({ member: 2, tls: security() });
    introduce();
    await until(() => workers[0]!.unreachable.length > 0);
    expect(workers[0]!.unreachable[0]!.reason).toBe('a peer is of term 2 of a run, expected term 1 of birds');
  });
});

describe('certificates', () => {
  test('a receiver with another certificate of the authority gets nothing', async () => {
    await open({ member: 1, tls });
    await open({ member: 2, tls: otherCertificate });
    const ofWorker = workers[0]!.peer.certificateSha256;
    introduce((peer) => (peer.member === 2 ? { ...peer, certificateSha256: ofWorker } : peer));
    await until(() => workers[0]!.unreachable.length > 0);
    expect(workers[0]!.unreachable[0]!.reason).toContain('it has another certificate');
    expect(workers[1]!.refusals.filter((reason) => reason.includes('member 1'))).toEqual([]);
  });

  test('a sender with another certificate of the authority is refused', async () => {
    await open({ member: 1, tls });
    await open({ member: 2, tls });
    const [first, second] = workers.map(({ peer }) => peer) as [Peer, Peer];
    workers[0]!.peering.setPeers([first, second]);
    workers[1]!.peering.setPeers([{ ...first, certificateSha256: Buffer.alloc(32) }, second]);
    await until(() => workers[0]!.unreachable.length > 0);
    expect(workers[0]!.unreachable[0]!.reason).toBe(
      'a peer that calls itself member 1 has another certificate, expected the one with which it has joined the run',
    );
  });

  test('of another authority lead to no connection', async () => {
    await open({ member: 1, tls });
    await open({ member: 2, tls: otherAuthority });
    introduce();
    await until(() => workers.every(({ unreachable }) => unreachable.length > 0));
    expect(workers.map(({ sums }) => sums)).toEqual([[], []]);
  });

  test('in plain text is not spoken to', async () => {
    await open({ member: 1, tls });
    await open({ member: 2, tls: null });
    introduce();
    await until(() => workers.every(({ unreachable }) => unreachable.length > 0));
  });
});

describe('a connection', () => {
  let proxy: TcpProxy;
  afterEach(() => proxy.close());

  /** Two workers, the first of which reaches the second through the proxy. */
  async function openBehindProxy(patience: Partial<PeerPatience> = {}): Promise<void> {
    for (const member of [1, 2]) await open({ member, tls: null, patience });
    proxy = await TcpProxy.to(workers[1]!.peer.address);
    introduce((peer) => (peer.member === 2 ? { ...peer, address: `127.0.0.1:${proxy.port}` } : peer));
    await exchangeStep(0);
  }

  test('that breaks is replaced by the coordinator', async () => {
    await openBehindProxy();
    proxy.cut();
    await exchangeStep(1);
    await passWeights(1);
    expect(workers.map(({ unreachable }) => unreachable.map(({ member }) => member))).toEqual([[2], []]);
  });

  test('that breaks is opened again, and then nothing goes through the coordinator', async () => {
    await openBehindProxy({ firstPauseMs: 20 });
    const [first] = workers;
    proxy.leadTo(null);
    proxy.cut();
    await until(() => first!.unreachable.length > 0);
    await exchangeStep(1);
    expect(first!.relayed).toBeGreaterThan(0);
    proxy.leadTo(workers[1]!.peer.address);
    await until(() => first!.reached.length > 0);
    expect(first!.reached).toEqual([2]);
    const { relayed } = first!;
    await exchangeStep(2);
    await passWeights(1);
    expect([first!.relayed, first!.unreachable.length]).toEqual([relayed, 1]);
  });

  test('that breaks, is opened again and breaks lets one part after the other go through the coordinator', async () => {
    await openBehindProxy({ firstPauseMs: 20 });
    const [first, second] = workers as [ExchangeWorker, ExchangeWorker];
    const cut = () => {
      proxy.leadTo(null);
      proxy.cut();
    };
    let goOn = () => {};
    first.relaying = new Promise((resolve) => {
      goOn = resolve;
    });
    cut();
    const exchanged = exchangeStep(1);
    await until(() => first.relayed > 0);
    proxy.leadTo(second.peer.address);
    await until(() => first.reached.length > 0);
    cut();
    await until(() => first.unreachable.length > 1);
    goOn();
    await exchanged;
    expect(second.refusals).toEqual([]);
  });

  test('that breaks in the middle of a range is replaced by the coordinator', async () => {
    await openBehindProxy();
    proxy.throttle(4 << 20);
    setTimeout(() => proxy.cut(), 100);
    await exchangeStep(1);
    await passWeights(1);
    expect(workers[0]!.unreachable).toHaveLength(1);
  });

  test('on which nothing moves is replaced by the coordinator', async () => {
    await openBehindProxy({ silenceMs: 1_000 });
    proxy.pause();
    await exchangeStep(1);
    await passWeights(1);
    expect(workers[0]!.unreachable).toHaveLength(1);
  });

  test('whose bytes are damaged ends, and the worker does not', async () => {
    await openBehindProxy();
    proxy.corruptNext('up');
    await exchangeStep(1);
    expect(workers[0]!.unreachable).toMatchObject([
      { member: 2, reason: expect.stringContaining('checksum') },
    ]);
  });
});

test('a peer that accepts a connection and then nothing is unreachable after the time to connect', async () => {
  await open({ member: 1, tls: null, patience: { connectMs: 200 } });
  const silent = createServer(() => {});
  listeners.push(silent);
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as { port: number };
  const peer = {
    member: 2,
    address: `127.0.0.1:${port}`,
    key: Buffer.alloc(16),
    certificateSha256: Buffer.alloc(0),
  };
  workers[0]!.peering.setPeers([peer]);
  await until(() => workers[0]!.unreachable.length > 0);
});
