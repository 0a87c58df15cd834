import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import type { ArrivedRange } from '../../../src/coordinator/carrier/messages.js';
import { RangeLink } from '../../../src/coordinator/carrier/range-link.js';
import { encodeWeights } from '../../../src/coordinator/lane/encode-weights.js';
import { ReductionTree } from '../../../src/reduction/tree.js';
import { bytesOf } from '../../../src/transport/bytes.js';
import { makeCertificates, tlsFilesIn } from '../../../src/transport/certificates.js';
import { encodeCoordinatorMessage } from '../../../src/transport/codec.js';
import type { Peer } from '../../../src/transport/peers/identity.js';
import { readTlsFiles, type TlsMaterial } from '../../../src/transport/tls-files.js';
import { TransferMemory } from '../../../src/transport/transfer-memory.js';
import { TcpProxy } from '../../kit/tcp-proxy.js';
import { position, reduceOf } from '../exchange/group.js';
import { certificateHash, ExchangeWorker, shape, until } from './worker.js';

const folder = mkdtempSync(join(tmpdir(), 'fcaenet-carrying-'));
let certificates: { readonly worker: TlsMaterial; readonly coordinator: TlsMaterial };
beforeAll(async () => {
  await makeCertificates({ directory: folder, names: [], days: 1, nowMs: Date.now() });
  const of = (holder: 'worker' | 'coordinator') => readTlsFiles(tlsFilesIn(folder, holder));
  certificates = { worker: of('worker'), coordinator: of('coordinator') };
});
afterAll(() => rmSync(folder, { recursive: true }));

let worker: ExchangeWorker;
let link: RangeLink | null;
let opened: number;
let left: number;
let lost: { readonly reason: string; readonly isRefused: boolean }[];
let arrived: { readonly range: ArrivedRange; readonly done: () => void }[];

beforeEach(() => {
  link = null;
  opened = 0;
  left = 0;
  lost = [];
  arrived = [];
});
afterEach(() => {
  link?.close();
  worker.peering.close();
});

/** Calls the worker, as the coordinator does. */
function call(peer: Peer, tls: TlsMaterial | null, member = 0): void {
  const identity = { run: 'birds', term: 1, member, key: Buffer.alloc(0), tls };
  const options = { identity, precision: 'float32' as const, vectorLength: shape.gradientCount };
  const memory = new TransferMemory<ArrayBufferLike>({ bytes: 1 << 24 });
  link = new RangeLink(peer, options, { connectMs: 5_000 }, systemClock, memory, {
    onOpened: () => opened++,
    onLeft: () => left++,
    onLost: (reason, isRefused) => lost.push({ reason, isRefused }),
    onArrived: (range, done) => arrived.push({ range, done }),
  });
}

/** How the coordinator describes itself. */
const selfWith = (tls: TlsMaterial | null): Peer => ({
  member: 0,
  address: '',
  key: Buffer.alloc(0),
  certificateSha256: certificateHash(tls),
});

/** A worker that has been told of the coordinator. */
async function openWorker(tls: TlsMaterial | null, limits = {}): Promise<void> {
  worker = await ExchangeWorker.open({ member: 1, tls, limits });
  worker.peering.setPeers([worker.peer], selfWith(tls && certificates.coordinator));
}

const vector = (count: number) => Float32Array.from({ length: count }, (_, place) => Math.sin(place));

/** Has the worker add ranges of its only node. */
function add(step: number, count: number): void {
  const tree = new ReductionTree(1, 4);
  const nodes = [{ node: { level: 0, index: tree.leaves[0]! }, member: 1 }];
  const cut = (place: number) => Math.floor((place * shape.gradientCount) / count);
  const ranges = Array.from({ length: count }, (_, place) => ({
    range: { start: cut(place), end: cut(place + 1) },
    owner: 1,
  }));
  worker.peering.exchange.planStep({ position: position(step), ranges });
  worker.peering.hold(position(step), nodes[0]!.node, vector(shape.gradientCount));
  worker.peering.exchange.reduce(reduceOf(step, 1, tree, nodes));
}

describe.each(['plain text', 'TLS'] as const)('a call of the coordinator over %s', (kind) => {
  const tls = () => (kind === 'TLS' ? certificates : { worker: null, coordinator: null });

  test('brings weights and takes sums, and nothing goes over the stream of the worker', async () => {
    await openWorker(tls().worker);
    call(worker.peer, tls().coordinator);
    await until(() => opened === 1);
    const weights = vector(shape.weightCount);
    const range = { start: 0, end: shape.weightCount };
    const sent = { term: 1, version: 3, part: { range, forward: true } };
    worker.peering.exchange.planWeights({ version: 3, ranges: [{ range, owner: 1 }] });
    const messages = encodeWeights(sent, [bytesOf(weights)]);
    link!.send(messages);
    await until(() => worker.weights.length === 1 && left === messages.length);
    expect(worker.weights[0]!.version).toBe(3);
    expect(Buffer.compare(bytesOf(worker.weights[0]!.values), bytesOf(weights))).toBe(0);
    add(0, 3);
    await until(() => arrived.length === 3);
    const gradient = vector(shape.gradientCount);
    for (const { range: arrival, done } of arrived) {
      const { start, end } = arrival.result.range!;
      expect(Buffer.compare(bytesOf(arrival.sum), bytesOf(gradient.slice(start, end)))).toBe(0);
      expect(arrival.messageBytes).toBeGreaterThan(arrival.sum.byteLength);
      done();
    }
    expect([worker.sums, worker.refusals, lost]).toEqual([[], [], []]);
  });

  test('waits until the worker is told of it', async () => {
    worker = await ExchangeWorker.open({ member: 1, tls: tls().worker });
    call(worker.peer, tls().coordinator);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(opened).toBe(0);
    worker.peering.setPeers([worker.peer], selfWith(tls().coordinator));
    await until(() => opened === 1);
  });

  test('without the key of the worker is refused', async () => {
    await openWorker(tls().worker);
    call({ ...worker.peer, key: Buffer.alloc(16) }, tls().coordinator);
    await until(() => lost.length === 1);
    const reason = 'member 0 does not know the key of member 1, which every peer must know';
    expect(lost).toEqual([{ reason, isRefused: true }]);
    expect(opened).toBe(0);
  });
});

test('a call with another certificate is refused', async () => {
  await openWorker(certificates.worker);
  call(worker.peer, certificates.worker);
  await until(() => lost.length === 1);
  expect(lost[0]!.reason).toContain('a peer that calls itself member 0 has another certificate');
});

test('a call of a member is refused', async () => {
  await openWorker(null);
  worker.peering.setPeers(
    [worker.peer, { ...worker.peer, member: 2, address: '127.0.0.1:1' }],
    selfWith(null),
  );
  call(worker.peer, null, 2);
  await until(() => lost.length === 1);
  expect(lost).toEqual([{ reason: 'member 2 has called a method that is not for it', isRefused: true }]);
});

test('a call ends when the worker is told that ranges go over its stream, and sums do', async () => {
  await openWorker(null);
  call(worker.peer, null);
  await until(() => opened === 1);
  worker.peering.setPeers([worker.peer], null);
  add(0, 2);
  await until(() => worker.sums.length === 2 && lost.length === 1);
  expect(arrived).toEqual([]);
  expect(lost[0]!.isRefused).toBe(false);
});

test('a second call ends the first one', async () => {
  await openWorker(null);
  call(worker.peer, null);
  await until(() => opened === 1);
  const first = link!;
  call(worker.peer, null);
  await until(() => opened === 2 && lost.length === 1);
  expect(lost[0]!.isRefused).toBe(false);
  add(0, 1);
  await until(() => arrived.length === 1);
  first.close();
});

test('a message that contradicts the run ends the call, with a sentence', async () => {
  await openWorker(null);
  call(worker.peer, null);
  await until(() => opened === 1);
  const weightsRange = { version: 1, range: { start: 5, end: 4 }, transfer: { id: 1, byteLength: 4 } };
  link!.send([encodeCoordinatorMessage({ term: 1, exchange: { weightsRange } })]);
  await until(() => lost.length === 1);
  const reason = `a range of weights names elements 5 to 4, expected a part of ${shape.weightCount}`;
  expect([lost, worker.refusals]).toEqual([[{ reason, isRefused: true }], [reason]]);
});

test('sums wait while those before them are read', async () => {
  await openWorker(null);
  call(worker.peer, null);
  await until(() => opened === 1);
  add(0, 9);
  await until(() => arrived.length === 4);
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(arrived).toHaveLength(4);
  for (let place = 0; place < 9; place++) {
    await until(() => arrived.length > place);
    arrived[place]!.done();
  }
});

describe('a connection', () => {
  let proxy: TcpProxy;
  beforeEach(async () => {
    await openWorker(null);
    proxy = await TcpProxy.to(worker.peer.address);
    call({ ...worker.peer, address: `127.0.0.1:${proxy.port}` }, null);
    await until(() => opened === 1);
  });
  afterEach(() => proxy.close());

  test('that breaks ends the call, and sums go over the stream of the worker', async () => {
    proxy.cut();
    await until(() => lost.length === 1);
    expect(lost[0]!.isRefused).toBe(false);
    await until(() => {
      add(worker.sums.length, 1);
      return worker.sums.length > 0;
    });
  });

  // Node's HTTP/2 does not read while it writes: on a slow line, two ends that send much on one connection wait for each other.
  test('carries much in one direction only', async () => {
    const range = { start: 0, end: shape.weightCount };
    worker.peering.exchange.planWeights({ version: 3, ranges: [{ range, owner: 1 }] });
    const sent = { term: 1, version: 3, part: { range, forward: true } };
    link!.send(encodeWeights(sent, [bytesOf(vector(shape.weightCount))]));
    add(0, 1);
    await until(() => arrived.length === 1 && worker.weights.length === 1);
    const much = proxy.carried.map(({ up, down }) => [up, down].map((bytes) => bytes > 100_000));
    expect(much.sort()).toEqual([
      [false, true],
      [true, false],
    ]);
    expect(lost).toEqual([]);
  });

  test('that damages a sum ends the call', async () => {
    proxy.corruptNext('down');
    add(0, 1);
    await until(() => lost.length === 1);
    expect(lost[0]).toEqual({ reason: expect.stringContaining('is damaged'), isRefused: false });
    expect(arrived).toEqual([]);
  });

  test('that damages weights ends the call', async () => {
    proxy.corruptNext('up');
    const range = { start: 0, end: shape.weightCount };
    const sent = { term: 1, version: 3, part: { range, forward: true } };
    link!.send(encodeWeights(sent, [bytesOf(vector(shape.weightCount))]));
    await until(() => lost.length === 1);
    expect(lost[0]!.reason).toContain('is damaged');
    expect(worker.weights).toEqual([]);
  });
});
