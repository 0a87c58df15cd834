import { connect } from 'nats';
import type { NatsSettings } from '../../run/training-run.js';
import { isUnheard } from '../events/nats-error.js';
import { type NatsLink, natsOptions, runToken } from '../events/nats-link.js';
import { answerControl, type ControlHandler, controlRefusal, controlTimeoutMs } from './message.js';

function subjectOf(run: string): string {
  return `fcaenet.control.${runToken(run)}`;
}

/**
 * Answers control requests that come over NATS, from the first connection to the link's end.
 * @param isLeader a coordinator that was replaced leaves the answer to its successor
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
          // A connection that ended meanwhile has nobody at its other end.
          .catch(() => {});
      },
    });
  });
}

/** The answer, or that the server does not take so long a one. */
function sendable(reply: string, mostBytes = Number.POSITIVE_INFINITY): string {
  const bytes = Buffer.byteLength(reply);
  if (bytes <= mostBytes) return reply;
  const sentence = `its answer has ${bytes} bytes, more than the NATS server's max_payload of ${mostBytes}`;
  return JSON.stringify(controlRefusal('CONTROL_REPLY_TOO_LONG', sentence));
}

/**
 * Sends one request and returns the answer.
 * @throws Error when the server is not there, nobody answers, or too late; TransportError TRANSPORT_NATS_SETTINGS
 */
export async function askNats(settings: NatsSettings, run: string, request: string): Promise<string> {
  const connection = await connect({ ...natsOptions(settings, 'fcaenet'), reconnect: false });
  try {
    return (await connection.request(subjectOf(run), request, { timeout: controlTimeoutMs })).string();
  } catch (error) {
    if (isUnheard(error)) throw new Error('nobody at the NATS server listens to its requests');
    throw error;
  } finally {
    await connection.close();
  }
}
