import { connect } from 'nats';
import type { NatsSettings } from '../../run/training-run.js';
import { type NatsLink, natsOptions, runToken } from '../events/nats-link.js';
import { answerControl, type ControlHandler, controlTimeoutMs } from './message.js';

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
        void answerControl(message.string(), handler).then((reply) => message.respond(reply));
      },
    });
  });
}

/**
 * Sends one request and returns the answer.
 * @throws NatsError when the server is not there, nobody answers, or too late; TransportError TRANSPORT_NATS_SETTINGS
 */
export async function askNats(settings: NatsSettings, run: string, request: string): Promise<string> {
  const connection = await connect({ ...natsOptions(settings, 'fcaenet'), reconnect: false });
  try {
    return (await connection.request(subjectOf(run), request, { timeout: controlTimeoutMs })).string();
  } finally {
    await connection.close();
  }
}
