import { expect, test } from 'vitest';
import type { Member, RangeRoute, WorkerStream } from '../../src/coordinator/dispatch/member.js';
import { OutgoingWeights } from '../../src/coordinator/dispatch/outgoing-weights.js';
import { WorkerPool } from '../../src/coordinator/dispatch/pool.js';
import { Participants } from '../../src/coordinator/exchange/participants.js';
import { WeightsDistribution } from '../../src/coordinator/exchange/weights-distribution.js';
import { encodeWeights } from '../../src/coordinator/lane/encode-weights.js';
import { service } from '../../src/transport/codec.js';
import { unconnectedMember } from '../kit/unconnected-member.js';

/** Elements of a range of weights, and whether it is to be passed on. */
type Sent = readonly [start: number, end: number, forward: boolean];

function rangesIn(messages: readonly unknown[]): Sent[] {
  return messages
    .filter((message) => Buffer.isBuffer(message))
    .map((message) => service.Join.responseDeserialize(message).exchange?.weightsRange)
    .filter((range) => range !== undefined && range !== null)
    .map(({ range, forward }) => [range!.start, range!.end, forward]);
}

interface Worker {
  readonly member: Member;
  readonly written: unknown[];
  readonly carried: Buffer[];
}

/** Workers whose ranges go over connections of their own. */
function workersOf(pool: WorkerPool, count: number): Worker[] {
  return Array.from({ length: count }, (_, slot) => {
    const written: unknown[] = [];
    const stream = {
      on: () => {},
      once: () => {},
      write: (message: unknown, taken?: () => void) => {
        taken?.();
        return written.push(message) > 0;
      },
    } as unknown as WorkerStream;
    const member = unconnectedMember(slot, `w${slot}`, { stream });
    const carried: Buffer[] = [];
    member.peerAddress = `10.0.0.${slot}:7402`;
    member.route = {
      send: (messages: Parameters<RangeRoute['send']>[0]) =>
        void Promise.resolve(messages).then((each) => carried.push(...each)),
    } as RangeRoute;
    pool.add(member);
    pool.admit(member);
    return { member, written, carried };
  });
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

const weightsOf = (version: number) =>
  new OutgoingWeights(
    1,
    version,
    { parameters: new Float32Array(100), mean: new Float32Array(1), variance: new Float32Array(1) },
    'float32',
  );

function distribute(count = 2) {
  const pool = new WorkerPool();
  const workers = workersOf(pool, count) as [Worker, Worker, ...Worker[]];
  const distribution = new WeightsDistribution(new Participants(pool, true));
  const weights = weightsOf(3);
  distribution.distribute(weights);
  /** The connection to a worker breaks. */
  const lose = ({ member }: Worker) => {
    member.route = null;
    pool.emit('rangesLost', member);
  };
  return { pool, workers, distribution, weights, lose };
}

test('each member gets its range over its connection', async () => {
  const { workers } = distribute();
  await settle();
  expect(workers.map(({ carried }) => rangesIn(carried))).toEqual([[[0, 51, true]], [[51, 102, true]]]);
  expect(workers.flatMap(({ written }) => rangesIn(written))).toEqual([]);
});

test('a member whose connection breaks gets its range again, over its stream, to pass it on', async () => {
  const { workers, lose } = distribute();
  await settle();
  lose(workers[0]);
  await settle();
  expect(workers.map(({ written }) => rangesIn(written))).toEqual([[[0, 51, true]], []]);
});

test('weights that nobody uses any more are not sent again', async () => {
  const { workers, distribution, lose } = distribute();
  await settle();
  distribution.forget();
  lose(workers[0]);
  await settle();
  expect(workers.flatMap(({ written }) => rangesIn(written))).toEqual([]);
});

/** Sends the first range of the next version before its step is over. */
function sendAhead({ workers, distribution, weights }: ReturnType<typeof distribute>): void {
  const members = workers.map(({ member }) => member);
  const plan = members.map((owner, place) => ({
    range: { start: 50 * place, end: 50 * (place + 1) },
    owner,
  }));
  const part = { range: plan[0]!.range, forward: true };
  const messages = encodeWeights({ term: 1, version: 4, part }, [Buffer.alloc(200)]);
  distribution.sendAhead(weights, { members, plan }, plan[0]!, messages);
  distribution.forget();
}

test('a range that was sent ahead and may be lost is sent again when its step is applied', async () => {
  const distributed = distribute();
  const { workers, distribution, lose } = distributed;
  sendAhead(distributed);
  lose(workers[0]);
  distribution.distribute(weightsOf(4));
  await settle();
  expect(workers.map(({ written }) => rangesIn(written))).toEqual([
    [
      [0, 50, true],
      [100, 102, true],
    ],
    [],
  ]);
  expect(rangesIn(workers[1].carried)).toEqual([
    [51, 102, true],
    [50, 100, true],
  ]);
  expect(workers.map(({ member }) => member.weightsVersion)).toEqual([4, 4]);
});

test('a worker that is lost just after its connection leaves the others to the exchange', async () => {
  const distributed = distribute(3);
  const { pool, workers, distribution, lose } = distributed;
  sendAhead(distributed);
  lose(workers[0]);
  pool.remove(workers[0].member, { reason: 'it ended its stream', failure: null });
  distribution.distribute(weightsOf(4));
  await settle();
  expect(workers.map(({ written }) => rangesIn(written))).toEqual([[], [], []]);
  expect(workers.slice(1).map(({ carried }) => rangesIn(carried).slice(1))).toEqual([
    [[50, 100, true]],
    [[100, 150, true]],
  ]);
  expect(workers.slice(1).map(({ member }) => member.weightsVersion)).toEqual([4, 4]);
});

test('a connection over which nothing was sent ahead changes nothing', async () => {
  const distributed = distribute();
  const { workers, distribution, lose } = distributed;
  sendAhead(distributed);
  lose(workers[1]);
  distribution.distribute(weightsOf(4));
  await settle();
  // The rest is the statistics, which the first one passes on.
  expect(workers.map(({ written }) => rangesIn(written))).toEqual([[], [[50, 100, true]]]);
  expect(rangesIn(workers[0].carried)).toEqual([
    [0, 51, true],
    [0, 50, true],
    [100, 102, true],
  ]);
  expect(workers.map(({ member }) => member.weightsVersion)).toEqual([4, 4]);
});
