import type { Member } from './member.js';
import type { Departure } from './pool.js';

/** An event of units of work that are handed out. `work` names the units, in plural. */
export type WorkEvent =
  /** Units were assigned again because their worker left. */
  | {
      readonly type: 'work.redispatched';
      readonly work: string;
      readonly units: number;
      readonly departure: Departure;
    }
  /** Units were not answered in time and may be assigned a second time. */
  | {
      readonly type: 'work.overdue';
      readonly work: string;
      readonly units: number;
      readonly member: Member;
    }
  /** A unit was computed by more than one worker. */
  | {
      readonly type: 'work.compared';
      readonly work: string;
      readonly unit: number;
      readonly outcome: 'agreed' | 'contradiction';
      /** Those that contradict one another, where that is known. */
      readonly members: readonly Member[];
    }
  /** A step begins, in the exchange with so many members, or in the star with 0. */
  | { readonly type: 'exchange.used'; readonly members: number }
  /** Steps take the star, because so many pairs of workers cannot connect. Sent when it becomes so. */
  | { readonly type: 'exchange.blocked'; readonly blocked: number; readonly pairs: number }
  /** The exchange of a step failed. The step is computed again in the star. */
  | { readonly type: 'exchange.given-up'; readonly reason: string }
  /** Too few workers are there. Sent once each time the work has to wait. */
  | { readonly type: 'work.waiting' };
