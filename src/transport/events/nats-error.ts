import type { ServerInfo } from 'nats';

/** What went wrong at a NATS server, for the log. */
export interface NatsTrouble {
  /** In the server's own words, where it has any. */
  readonly reason: string;
  /** What to do about it; null where the reason says all. */
  readonly remedy: string | null;
}

/** What the client throws: `code` is its own, `api_error` what JetStream answered. */
interface Thrown {
  readonly message: string;
  readonly code?: string;
  readonly api_error?: { readonly err_code?: number; readonly description?: string };
}

/** JetStream's codes for what somebody has to mend at the server, and how. */
const remedies: readonly (readonly [codes: readonly number[], remedy: string])[] = [
  [[10_039, 10_076], 'enable JetStream for the account of spec.operation.nats.credentials'],
  [
    [10_065],
    'give fcaenet.events.> to no other stream (`nats stream ls --subject "fcaenet.>"` lists them), or use an account of its own',
  ],
  [
    [10_023, 10_028, 10_047, 10_077],
    'raise the limits of the stream or of JetStream, or let the stream discard its oldest messages (`nats stream edit FCAENET_EVENTS --discard=old`)',
  ],
];
const enableJetStream = 'start nats-server with -js, or with jetstream in its configuration';

/** JetStream's code for a message above the stream's own bound. */
const messageTooLarge = 10_054;
/** The client's code for a request to which nobody listens. */
const noResponders = '503';

/** @param server what the server said of itself when it was connected */
export function describeNatsError(error: unknown, server: ServerInfo | undefined): NatsTrouble {
  const { message, code, api_error: answer } = error as Thrown;
  if (isTooLarge(error)) {
    const bound = answer?.description ?? `max_payload is ${server?.max_payload} bytes`;
    return {
      reason: `an event is larger than the server takes (${bound})`,
      remedy: 'raise that bound; such events are in events.jsonl alone',
    };
  }
  if (answer?.description !== undefined) {
    const remedy = remedies.find(([codes]) => codes.includes(answer.err_code ?? 0))?.[1] ?? null;
    return { reason: answer.description, remedy };
  }
  if (code !== noResponders) return { reason: message, remedy: null };
  return server?.jetstream === true
    ? { reason: 'JetStream does not answer (503, no responders)', remedy: null }
    : { reason: 'JetStream is not enabled (503, no responders)', remedy: enableJetStream };
}

/** Whether a message will never be taken as it is. */
export function isTooLarge(error: unknown): boolean {
  const { code, api_error } = error as Thrown;
  return code === 'MAX_PAYLOAD_EXCEEDED' || api_error?.err_code === messageTooLarge;
}

/** Whether nobody listens to a request. */
export function isUnheard(error: unknown): boolean {
  return (error as Thrown).code === noResponders;
}
