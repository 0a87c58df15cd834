import type { Member } from './member.js';

/**
 * One piece of running work, as seen by the receiver of answers. `Taken` is a promise where the bytes of an answer are read
 * until it resolves; else they are the taker's.
 */
export interface AnswerTaker<Result, Taken = void> {
  /**
   * Exact bytes of the announced answer; null when it belongs to other work; `unknown` when it names a part that this
   * work does not have.
   */
  bytesOf(result: Result): number | null | 'unknown';
  take(member: Member, result: Result, bytes: Uint8Array): Taken;
  /** Where the bytes of an expected answer are assembled; null where any memory will do. */
  placeOf?(member: Member, result: Result): Uint8Array | null;
}

/** Allowed length of an announced answer, and what to do with it. */
export interface Expected<Result, Taken = void> extends Pick<AnswerTaker<Result, Taken>, 'take' | 'placeOf'> {
  readonly least: number;
  readonly most: number;
}

/** The pieces of work of one kind that still expect answers, from their start until the last late answer. */
export class ExpectedAnswers<Result, Taken = void> {
  private readonly takers = new Set<AnswerTaker<Result, Taken>>();
  /** Size of the largest answer of this kind so far. It limits answers that no work expects any more. */
  private mostBytes = 0;

  /** @param ignore takes an answer that no work expects any more */
  constructor(private readonly ignore: () => Taken) {}

  /**
   * @param mostBytes of any of its answers
   * @returns ends it
   */
  begin(taker: AnswerTaker<Result, Taken>, mostBytes: number): () => void {
    this.takers.add(taker);
    this.mostBytes = Math.max(this.mostBytes, mostBytes);
    return () => this.takers.delete(taker);
  }

  /** What is expected of an announced answer; `unknown` when it is invalid. */
  expect(result: Result): Expected<Result, Taken> | 'unknown' {
    for (const taker of this.takers) {
      const bytes = taker.bytesOf(result);
      if (bytes === 'unknown') return 'unknown';
      if (bytes === null) continue;
      return {
        least: bytes,
        most: bytes,
        take: taker.take.bind(taker),
        ...(taker.placeOf && { placeOf: taker.placeOf.bind(taker) }),
      };
    }
    return { least: 0, most: this.mostBytes, take: this.ignore };
  }
}
