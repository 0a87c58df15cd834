import { connect } from 'nats';
import type { NatsSettings } from '../../run/training-run.js';
import { hasNoResponder } from '../events/nats-error.js';
import { type NatsLink, natsOptions } from '../events/nats-link.js';
import { runToken } from '../events/nats-names.js';
import { answerControl, type ControlHandler, controlRefusal, controlTimeoutMs } from './message.js';

function subjectOf(run: string): string {
  return `fcaenet.control.${runToken(run)}`;
}

/**
 * Answers control requests over NATS, from the first connection until the link is closed.
 * @param isLeader a coordinator that was replaced does not answer, so that its successor does
 */
export function serveNatsControl(
  link: NatsLink,
  run: string,
  handler: ControlHandler,
  isLeader: () => boolean,
): void {
  link.onFirstConnection((connection) => {
    connection.subscribe(subjectOf(run), {
      callback: (error, message) => {
        if (error || !isLeader()) return;
        void answerControl(message.string(), handler)
          .then((reply) => message.respond(sendable(reply, connection.info?.max_payload)))
          // The connection may have ended, and then nobody waits for the reply.
          .catch(() => {});
      },
    });
  });
}

/** The answer, or an error reply when the server does not accept an answer of that size. */
function sendable(reply: string, mostBytes = Number.POSITIVE_INFINITY): string {
  const bytes = Buffer.byteLength(reply);
  if (bytes <= mostBytes) return reply;
  const sentence = `its answer has ${bytes} bytes, more than the NATS server's max_payload of ${mostBytes}`;
  return JSON.stringify(controlRefusal('CONTROL_REPLY_TOO_LONG', sentence));
}

/**
 * Sends one request and returns the answer.
 * @throws Error when the server is unreachable or nobody answers in time; TransportError TRANSPORT_NATS_SETTINGS
 */
export async function askNats(settings: NatsSettings, run: string, request: string): Promise<string> {
  const connection = await connect({ ...natsOptions(settings, 'fcaenet'), reconnect: false });
  try {
    return (await connection.request(subjectOf(run), request, { timeout: controlTimeoutMs })).string();
  } catch (error) {
    if (hasNoResponder(error)) throw new Error('no coordinator listens for its requests on the NATS server');
    throw error;
  } finally {
    await connection.close();
  }
}
