import { expect, test } from 'vitest';
import type { Member } from '../../src/coordinator/dispatch/member.js';
import { WorkerPool } from '../../src/coordinator/dispatch/pool.js';
import { Participants } from '../../src/coordinator/exchange/participants.js';
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
  // Of the two that are left each reaches the other.
  pool.remove(a, { reason: 'it left', failure: null });
  expect(participants.choose()).toEqual([b, c]);
  expect(participants.news()).toBeNull();
});
