import type { Member } from '../dispatch/member.js';

export type PacedMember = Pick<Member, 'number' | 'tally'>;

/** The pace of one worker in the last seconds. */
export interface Pace {
  readonly microbatchesPerSecond: number;
  /** Mean time of the answers, from sending the work; null without answers. */
  readonly answerSeconds: number | null;
}

interface Sample {
  readonly atMs: number;
  readonly totals: ReadonlyMap<number, { readonly microbatches: number; readonly turnaroundSeconds: number }>;
}

const sampleEveryMs = 2_000;
const samplesKept = 6;

/** Measures the pace of workers from samples of their totals, each two seconds, over the last ten. */
export class WorkerPace {
  private readonly samples: Sample[] = [];

  /** Takes a sample unless there is a recent one. */
  sample(members: readonly PacedMember[], nowMs: number): void {
    const last = this.samples.at(-1);
    if (last && nowMs - last.atMs < sampleEveryMs) return;
    const totals = members.map(({ number, tally: { microbatches, turnaroundSeconds } }) => {
      return [number, { microbatches, turnaroundSeconds }] as const;
    });
    this.samples.push({ atMs: nowMs, totals: new Map(totals) });
    if (this.samples.length > samplesKept) this.samples.shift();
  }

  /** Null for a worker that joined after the last sample. */
  of({ number, tally }: PacedMember, nowMs: number): Pace | null {
    const oldest = this.samples.find(({ totals }) => totals.has(number));
    if (!oldest || nowMs <= oldest.atMs) return null;
    const before = oldest.totals.get(number)!;
    const microbatches = tally.microbatches - before.microbatches;
    return {
      microbatchesPerSecond: (microbatches * 1000) / (nowMs - oldest.atMs),
      answerSeconds:
        microbatches > 0 ? (tally.turnaroundSeconds - before.turnaroundSeconds) / microbatches : null,
    };
  }
}
