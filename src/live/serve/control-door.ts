import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  answerControl,
  type ControlHandler,
  controlBounds,
  controlRefusal,
} from '../../transport/control/message.js';
import { isJoinToken } from '../../transport/join-token.js';
import { send } from './reply.js';

/** What the page needs to control a run. */
export interface Door {
  readonly token: string;
  readonly handler: ControlHandler;
}

/** Requests at the same time. A checkpoint can take a minute. */
const mostRequests = 4;

/** Carries out control requests of the page: `POST` with `authorization: Bearer TOKEN` and one request as JSON. */
export class ControlDoor {
  private running = 0;

  /** @param door null when the run may not be controlled from the page */
  async answer(door: Door | null, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refuse = (status: number, code: string, sentence: string) =>
      sendReply(request, response, status, JSON.stringify(controlRefusal(code, sentence)));
    if (door === null) {
      refuse(
        403,
        'CONTROL_READ_ONLY',
        'this page only shows the run; the page of a coordinator may control it with spec.operation.monitor.control=true',
      );
      return;
    }
    // A form of another site could send any other type without asking the browser's leave.
    if (request.headers['content-type'] !== 'application/json') {
      refuse(415, 'CONTROL_NO_JSON', 'the control request must have the content type application/json');
      return;
    }
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    if (token === undefined) {
      refuse(
        401,
        'CONTROL_TOKEN_MISSING',
        'the control request has no token, but needs the one in the file control-token of the run directory',
      );
      return;
    }
    if (!isJoinToken(door.token, token)) {
      refuse(
        401,
        'CONTROL_TOKEN_WRONG',
        'the control request has another token, expected the one in the file control-token of the run directory',
      );
      return;
    }
    if (this.running >= mostRequests) {
      refuse(503, 'CONTROL_BUSY', `the coordinator is busy with ${mostRequests} other requests; try again`);
      return;
    }
    this.running++;
    try {
      const reply = await answerControl(await bodyOf(request), door.handler);
      sendReply(request, response, reply.startsWith('{"ok":true') ? 200 : 409, reply);
    } finally {
      this.running--;
    }
  }
}

function sendReply(request: IncomingMessage, response: ServerResponse, status: number, reply: string): void {
  // What is left of a refused body is not read.
  const headers = { 'content-type': 'application/json', ...(status !== 200 && { connection: 'close' }) };
  send(request, response, status, headers, `${reply}\n`);
}

/** The body, or its beginning when it is too long: `answerControl` refuses that. */
async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request) {
    parts.push(part as Buffer);
    bytes += (part as Buffer).byteLength;
    if (bytes > controlBounds.requestBytes) break;
  }
  return Buffer.concat(parts).toString('utf8');
}
