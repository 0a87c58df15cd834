/** Why a request is refused, as its metric counts it. */
export type RefusalReason =
  | 'bad_request'
  | 'unauthorized'
  | 'foreign_origin'
  | 'unknown'
  | 'method'
  | 'too_large'
  | 'too_many_pixels'
  | 'not_a_picture'
  | 'content_encoding'
  | 'client_limit'
  | 'queue_full'
  | 'encoder'
  | 'slow';

/** A request that is answered with an error: a status, a reason, and one sentence for the client. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly reason: RefusalReason,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}
