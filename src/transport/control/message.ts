import * as z from 'zod';
import { FcaenetError, quote } from '../../errors.js';

/** The requests that a run's coordinator accepts. */
export const controlRequestSchema = z.discriminatedUnion('command', [
  z.strictObject({ command: z.literal('status') }),
  /** Everything that the page and `fcaenet watch` show; see `RunView`. */
  z.strictObject({ command: z.literal('view') }),
  z.strictObject({ command: z.literal('pause') }),
  z.strictObject({ command: z.literal('resume') }),
  z.strictObject({ command: z.literal('checkpoint') }),
  z.strictObject({ command: z.literal('stop') }),
  /** The worker's name or slot. */
  z.strictObject({ command: z.literal('drain'), worker: z.string().min(1).max(256) }),
]);
export type ControlRequest = z.output<typeof controlRequestSchema>;

/** The answer: one JSON object, whose other fields depend on the request. */
export const controlReplySchema = z.discriminatedUnion('ok', [
  z.looseObject({ ok: z.literal(true), run: z.string(), term: z.number() }),
  z.object({ ok: z.literal(false), code: z.string(), message: z.string() }),
]);
export type ControlReply = z.output<typeof controlReplySchema>;

/** Carries out a request. Throws a FcaenetError for a request that is not allowed. */
export type ControlHandler = (request: ControlRequest) => Promise<ControlReply>;

/** Size limits in bytes of a request and of a reply. */
export const controlBounds = { requestBytes: 4_096, replyBytes: 1 << 20 } as const;

/** Time limit of an answer. It includes writing a checkpoint. */
export const controlTimeoutMs = 60_000;

/** Answers the text of a request, valid or not. */
export async function answerControl(text: string, handler: ControlHandler): Promise<string> {
  return JSON.stringify(await replyTo(text, handler));
}

async function replyTo(text: string, handler: ControlHandler): Promise<ControlReply> {
  if (Buffer.byteLength(text) > controlBounds.requestBytes) {
    return controlRefusal(
      'CONTROL_TOO_LONG',
      `the request has more than ${controlBounds.requestBytes} bytes`,
    );
  }
  let request: ControlRequest;
  try {
    request = controlRequestSchema.parse(JSON.parse(text));
  } catch {
    return controlRefusal(
      'CONTROL_UNKNOWN',
      `the request is ${quote(text)}, expected JSON with a known command`,
    );
  }
  try {
    return await handler(request);
  } catch (error) {
    const code = error instanceof FcaenetError ? error.code : 'CONTROL_FAILED';
    return controlRefusal(code, (error as Error).message);
  }
}

/** The reply when a request is not carried out, or its answer cannot be sent. */
export function controlRefusal(code: string, message: string): ControlReply {
  return { ok: false, code, message };
}
