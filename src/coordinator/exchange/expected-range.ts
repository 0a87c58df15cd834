import type { RangeResult__Output } from '../../transport/generated/fcaenet/v1/RangeResult.js';
import type { Expected } from '../dispatch/expected-answers.js';
import type { Member } from '../dispatch/member.js';
import type { WorkerPool } from '../dispatch/pool.js';

/** What is expected of an announced sum; null when its sender is removed because the step has no such range. */
export function expectedRange(
  pool: WorkerPool,
  member: Member,
  result: RangeResult__Output,
): Expected<RangeResult__Output, Promise<void>> | null {
  const expected = pool.ranges.expect(result);
  if (expected !== 'unknown') return expected;
  const { start, end } = result.range ?? { start: '?', end: '?' };
  pool.rejectAnswer(member, 'bad_message', `range ${start} to ${end} is not part of the step's exchange`);
  return null;
}
