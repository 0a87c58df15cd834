import { systemClock } from '../../src/clock.js';
import { LinePace } from '../../src/coordinator/dispatch/line-pace.js';
import { Member, type MemberOptions, type WorkerStream } from '../../src/coordinator/dispatch/member.js';
import { TransferMemory } from '../../src/transport/transfer-memory.js';

/** A member whose stream goes nowhere. */
export function unconnectedMember(
  slot = 0,
  name = 'w',
  options: Partial<Pick<MemberOptions, 'stream' | 'clock'>> = {},
): Member {
  return new Member({
    slot,
    number: slot + 1,
    name,
    instanceId: 'i',
    session: 1,
    stream: { on: () => {}, write: () => true } as unknown as WorkerStream,
    memory: new TransferMemory({ arrays: 0 }),
    clock: systemClock,
    line: { received: new LinePace(), sent: new LinePace() },
    sharedMemory: null,
    ...options,
  });
}
