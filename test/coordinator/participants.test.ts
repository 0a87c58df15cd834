import { expect, test } from 'vitest';
import type { Member, WorkerStream } from '../../src/coordinator/dispatch/member.js';
import { WorkerPool } from '../../src/coordinator/dispatch/pool.js';
import { Participants } from '../../src/coordinator/exchange/participants.js';
import { service } from '../../src/transport/codec.js';
import { unconnectedMember } from '../kit/unconnected-member.js';

/** Workers that listen for one another. */
function poolOf(count: number): { pool: WorkerPool; members: Member[] } {
  const pool = new WorkerPool();
  const members = Array.from({ length: count }, (_, slot) => {
    const member = unconnectedMember(slot);
    member.peerAddress = `10.0.0.${slot}:7000`;
    pool.add(member);
    pool.admit(member);
    return member;
  });
  return { pool, members };
}

test('when more than half of the pairs cannot connect the star is used, which is said once', () => {
  const { pool, members } = poolOf(3);
  const participants = new Participants(pool, true);
  const [a, b, c] = members as [Member, Member, Member];
  const block = (from: Member, to: Member) => pool.emit('peerUnreachable', from, to, 'it does not answer');
  participants.tell(members);
  for (const [from, to] of [
    [a, b],
    [b, a],
    [a, c],
    [a, c],
  ] as const) {
    block(from, to);
    expect([participants.choose(), participants.news()]).toEqual([members, null]);
  }
  block(c, a);
  expect(participants.choose()).toBeNull();
  expect(participants.news()).toEqual({ blocked: 4, pairs: 6 });
  expect(participants.news()).toBeNull();
  // Whoever takes part anew connects anew.
  participants.tell([b, c]);
  participants.tell(members);
  expect([participants.choose(), participants.news()]).toEqual([members, null]);
  for (const [from, to] of [
    [a, b],
    [b, a],
    [a, c],
    [c, a],
  ] as const) {
    block(from, to);
  }
  expect(participants.news()).toEqual({ blocked: 4, pairs: 6 });
  // One that reaches another again is enough for the exchange.
  pool.emit('peerReached', a, b);
  expect(participants.choose()).toEqual(members);
  block(a, b);
  expect(participants.choose()).toBeNull();
  // Of the two that are left each reaches the other.
  pool.remove(a, { reason: 'it left', failure: null });
  expect(participants.choose()).toEqual([b, c]);
  expect(participants.news()).toBeNull();
});

test('a worker that knows only its loopback address is where each of the others reaches the coordinator', async () => {
  const pool = new WorkerPool();
  const told = new Map<number, (string | undefined)[]>();
  for (const [slot, peerAddress, coordinatorHost] of [
    [0, '127.0.0.1:7001', '127.0.0.1'],
    [1, '10.0.0.9:7002', '10.0.0.5'],
    [2, '[fd00::9]:7003', 'fd00::5'],
  ] as const) {
    const stream = {
      write: (message: Buffer, taken: () => void) => {
        const { exchange } = service.Join.responseDeserialize(message);
        told.set(slot, exchange?.peers?.peers.map(({ address }) => address) ?? []);
        taken();
        return true;
      },
    } as unknown as WorkerStream;
    const member = unconnectedMember(slot, 'w', { stream });
    Object.assign(member, { peerAddress, coordinatorHost });
    pool.add(member);
    pool.admit(member);
  }
  const participants = new Participants(pool, true);
  participants.tell(participants.choose()!);
  await Promise.all(pool.all().map(({ outbox }) => outbox.hasLeft()));
  expect(told.get(0)).toEqual(['127.0.0.1:7001', '10.0.0.9:7002', '[fd00::9]:7003']);
  expect(told.get(1)).toEqual(['10.0.0.5:7001', '10.0.0.9:7002', '[fd00::9]:7003']);
  expect(told.get(2)).toEqual(['[fd00::5]:7001', '10.0.0.9:7002', '[fd00::9]:7003']);
});
