import protobuf from 'protobufjs';
import { crc32c } from './crc32c.js';

/**
 * TensorBoard's event file: messages in TensorFlow's record format. A record is the number of its bytes as uint64, the masked
 * checksum of that number, the bytes, and their masked checksum, all little-endian. Names and numbers of the fields are
 * those of TensorFlow's `event.proto` and `summary.proto`.
 */
const source = `
syntax = "proto3";
message Event {
  double wall_time = 1;
  int64 step = 2;
  oneof what {
    string file_version = 3;
    Summary summary = 5;
    SessionLog session_log = 7;
  }
}
message Summary {
  repeated Value value = 1;
  message Value { string tag = 1; float simple_value = 2; }
}
message SessionLog { int32 status = 1; }
`;

const eventType = protobuf.parse(source, { keepCase: true }).root.lookupType('Event');

/** What an event says, at a step of the run. */
export interface FileEvent {
  /** Unix time. */
  readonly seconds: number;
  readonly step: number;
  readonly content:
    | { readonly kind: 'version' }
    /** A process begins here: a reader forgets what it has of this step and later ones. */
    | { readonly kind: 'start' }
    | { readonly kind: 'scalars'; readonly values: Readonly<Record<string, number>> };
}

/** The first version in which a start makes readers forget later steps. */
const fileVersion = 'brain.Event:2';
/** TensorFlow's number of a session's start. */
const sessionStart = 1;
const headBytes = 12;
const tailBytes = 4;

/** An event as one record. */
export function encodeEvent({ seconds, step, content }: FileEvent): Buffer {
  const message = eventType.encode({ wall_time: seconds, step, ...contentMessage(content) }).finish();
  const record = Buffer.alloc(headBytes + message.length + tailBytes);
  record.writeBigUInt64LE(BigInt(message.length));
  record.writeUInt32LE(masked(record.subarray(0, 8)), 8);
  record.set(message, headBytes);
  record.writeUInt32LE(masked(message), headBytes + message.length);
  return record;
}

function contentMessage(content: FileEvent['content']): object {
  if (content.kind === 'version') return { file_version: fileVersion };
  if (content.kind === 'start') return { session_log: { status: sessionStart } };
  const value = Object.entries(content.values).map(([tag, each]) => ({ tag, simple_value: each }));
  return { summary: { value } };
}

/** An event in a file, and the position after its record. */
export interface PlacedEvent {
  readonly event: FileEvent;
  readonly end: number;
}

/** The events of a file in its order, up to the first record that is damaged or incomplete. */
export function readEvents(bytes: Buffer): PlacedEvent[] {
  const events: PlacedEvent[] = [];
  for (let start = 0; start + headBytes <= bytes.length; ) {
    const size = bytes.readBigUInt64LE(start);
    if (masked(bytes.subarray(start, start + 8)) !== bytes.readUInt32LE(start + 8)) break;
    const begin = start + headBytes;
    if (size > BigInt(bytes.length - begin - tailBytes)) break;
    const end = begin + Number(size);
    const message = bytes.subarray(begin, end);
    if (masked(message) !== bytes.readUInt32LE(end)) break;
    start = end + tailBytes;
    events.push({ event: eventOf(message), end: start });
  }
  return events;
}

interface EventMessage {
  readonly wall_time?: number;
  readonly step?: number;
  readonly session_log?: object;
  readonly summary?: { readonly value?: readonly { readonly tag: string; readonly simple_value?: number }[] };
}

function eventOf(message: Uint8Array): FileEvent {
  const found = eventType.toObject(eventType.decode(message), { longs: Number }) as EventMessage;
  const { wall_time: seconds = 0, step = 0, session_log, summary } = found;
  if (session_log) return { seconds, step, content: { kind: 'start' } };
  if (!summary) return { seconds, step, content: { kind: 'version' } };
  const values = (summary.value ?? []).map(({ tag, simple_value = 0 }) => [tag, simple_value]);
  return { seconds, step, content: { kind: 'scalars', values: Object.fromEntries(values) } };
}

/** A checksum that is not itself a checksum's usual input: rotated by 15 bits, and a constant added. */
function masked(bytes: Uint8Array): number {
  const checksum = crc32c(bytes);
  return (((checksum >>> 15) | (checksum << 17)) + 0xa282ead8) >>> 0;
}
