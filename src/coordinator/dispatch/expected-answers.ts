import type { Member } from './member.js';

/** One piece of work in progress, as whoever receives answers sees it. */
export interface AnswerTaker<Result> {
  /**
   * Exact bytes of the announced answer; null where it belongs to other work; `unknown` where it claims to belong to this
   * work, which has no such part.
   */
  bytesOf(result: Result): number | null | 'unknown';
  take(member: Member, result: Result, bytes: Uint8Array): void;
}

/** The pieces of work of one kind that still expect answers, from their beginning until the last straggler answered. */
export class ExpectedAnswers<Result> {
  private readonly takers = new Set<AnswerTaker<Result>>();
  /** Most bytes of any answer of this kind so far: the bound of one that nobody expects any more. */
  private mostBytes = 0;

  /**
   * @param mostBytes of any of its answers
   * @returns how to end it
   */
  begin(taker: AnswerTaker<Result>, mostBytes: number): () => void {
    this.takers.add(taker);
    this.mostBytes = Math.max(this.mostBytes, mostBytes);
    return () => this.takers.delete(taker);
  }

  /** How long an announced answer may be, and what becomes of it; `unknown` where it cannot be true. */
  expect(result: Result): { least: number; most: number; take: AnswerTaker<Result>['take'] } | 'unknown' {
    for (const taker of this.takers) {
      const bytes = taker.bytesOf(result);
      if (bytes === 'unknown') return 'unknown';
      if (bytes !== null) return { least: bytes, most: bytes, take: taker.take.bind(taker) };
    }
    return { least: 0, most: this.mostBytes, take: () => {} };
  }
}
