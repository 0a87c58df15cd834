import type { ServerInfo } from 'nats';

/** A failure of a NATS request, for the log. */
export interface NatsFailure {
  /** The server's own message, if it sent one. */
  readonly reason: string;
  /** How to fix it; null when the reason says enough. */
  readonly remedy: string | null;
}

/** An error of the client: `code` is the client's, `api_error` is JetStream's answer. */
interface Thrown {
  readonly message: string;
  readonly code?: string;
  readonly api_error?: { readonly err_code?: number; readonly description?: string };
}

/** JetStream's codes for faults that an operator must fix at the server, and how. */
const remedies: readonly (readonly [codes: readonly number[], remedy: string])[] = [
  [[10_039, 10_076], 'enable JetStream for the account of spec.operation.nats.credentials'],
  [
    [10_065],
    'remove fcaenet.events.> from every other stream (`nats stream ls --subject "fcaenet.>"` lists them), or use a separate account',
  ],
  [
    [10_023, 10_028, 10_047, 10_077],
    'raise the limits of the stream or of JetStream, or let the stream discard its oldest messages (`nats stream edit FCAENET_EVENTS --discard=old`)',
  ],
];
const enableJetStream = 'start nats-server with -js, or with jetstream in its configuration';

/** JetStream's code for a message above the stream's size limit. */
const messageTooLarge = 10_054;
/** The client's code for a request without responders. */
const noResponders = '503';

/** @param server the server's information from the connection */
export function describeNatsError(error: unknown, server: ServerInfo | undefined): NatsFailure {
  const { message, code, api_error: answer } = error as Thrown;
  if (isTooLarge(error)) {
    const bound = answer?.description ?? `max_payload is ${server?.max_payload} bytes`;
    return {
      reason: `an event exceeds the server's size limit (${bound})`,
      remedy: 'raise that limit; such events are only in events.jsonl',
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

/**
 * Why no connection to a server was made.
 * @param address HOST:PORT
 * @param timeoutMs time that the server had to answer
 */
export function describeConnectFailure(error: unknown, address: string, timeoutMs: number): string {
  const { message, code } = error as Thrown;
  if (code === 'TIMEOUT' || code === 'CONNECTION_TIMEOUT') {
    return `nothing answered as a NATS server at ${address} within ${timeoutMs / 1000} s: it cannot be reached, or another kind of server listens there`;
  }
  if (code === 'CONNECTION_REFUSED') {
    return `no process listens at ${address}, or it closes new connections at once`;
  }
  if (message === 'unexpected response from server') return `what listens at ${address} is not a NATS server`;
  return `${address}: ${message}`;
}

/** Whether the server will never accept the message because of its size. */
export function isTooLarge(error: unknown): boolean {
  const { code, api_error } = error as Thrown;
  return code === 'MAX_PAYLOAD_EXCEEDED' || api_error?.err_code === messageTooLarge;
}

/** Whether a request has no responder. */
export function hasNoResponder(error: unknown): boolean {
  return (error as Thrown).code === noResponders;
}
